//! What others wrote is in the report as they published it.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::html::between;
use crate::sample;

#[test]
fn the_plotting_library_is_the_one_that_was_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vendor/uplot");
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("the sums are beside the files");
    let mut checked = 0;
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").expect("a sum, two blanks, a name");
        let digest = Sha256::digest(fs::read(folder.join(file)).expect("the file is there"));
        let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, sum, "{file} was changed");
        checked += 1;
    }
    assert_eq!(checked, 3, "library, style and licence");
}

#[test]
fn the_licence_goes_wherever_the_library_goes() {
    let page = brunt_report::render::html::render(&sample::shop());
    let script = between(&page, "<script>", "</script>");
    assert!(script.contains("Copyright (c) 2022 Leon Sorokin") && script.contains("The MIT License (MIT)"));
    assert!(script.contains("uPlot (v1.6.32)"));
}
