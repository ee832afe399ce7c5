//! Writes the sample reports that the tests are made of, to look at them:
//! `cargo run -p brunt-report --example sample_report -- DIR`.

use std::path::PathBuf;

use brunt_report::compare::Comparison;
use brunt_report::render::{compare, html, junit, summary};

#[path = "../tests/renderings/sample/mod.rs"]
mod sample;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "sample-reports".to_owned()));
    std::fs::create_dir_all(&folder)?;
    let mut runs = sample::all();
    runs.push(("hour", sample::hour()));
    for (name, results) in runs {
        std::fs::write(folder.join(format!("{name}.html")), html::render(&results))?;
        std::fs::write(folder.join(format!("{name}.xml")), junit::render(&results))?;
        std::fs::write(folder.join(format!("{name}.md")), summary::render(&results))?;
    }
    let (first, second) = (sample::shop(), sample::mended());
    let page = compare::html::render(&Comparison::of(&first, &second), ["results/before", "results/after"]);
    std::fs::write(folder.join("compare.html"), page)?;
    println!("{}", folder.display());
    Ok(())
}
