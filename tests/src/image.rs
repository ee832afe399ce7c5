//! Images of containers, made here: a root file system that holds one program and the libraries that it needs, so that nothing
//! is fetched from anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts a program and its libraries into an empty folder, the program at the top.
///
/// # Panics
/// Without `ldd`, or when a file cannot be copied.
#[track_caller]
pub fn root_file_system(program: &Path, root: &Path) {
    copy(program, &root.join(program.file_name().expect("a program is a file")));
    let needs = Command::new("ldd").arg(program).output().expect("ldd is part of libc");
    // It says no more of a program that needs none.
    let needs = String::from_utf8_lossy(&needs.stdout).into_owned();
    let paths = needs.split_whitespace().filter(|word| word.starts_with('/'));
    paths.for_each(|path| copy(Path::new(path), &root.join(path.trim_start_matches('/'))));
}

/// The image `name` of that program as an archive in the folder, in the format that `docker save` writes and every container
/// runtime takes in. A container of it runs the program unless told otherwise.
///
/// # Panics
/// Without `tar` and `sha256sum`, or when the folder cannot be written to.
#[track_caller]
pub fn archive(program: &Path, name: &str, folder: &Path) -> PathBuf {
    let file = format!("{}.tar", name.replace(['/', ':'], "-"));
    let work = tempfile::Builder::new().prefix("image-").tempdir_in(folder).expect("the folder can be written to");
    let part = |name: &str| work.path().join(name);
    root_file_system(program, &part("root"));
    run(Command::new("tar").arg("-cf").arg(part("layer.tar")).arg("-C").arg(part("root")).arg("."));
    let sum = run(Command::new("sha256sum").arg(part("layer.tar")));
    let sum = sum.split_whitespace().next().expect("it prints the sum first");
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let command = format!("/{}", program.file_name().expect("a program is a file").display());
    let config = serde_json::json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Cmd": [command] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{sum}")] },
    });
    let manifest = serde_json::json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
    fs::write(part("config.json"), config.to_string()).expect("the folder can be written to");
    fs::write(part("manifest.json"), manifest.to_string()).expect("the folder can be written to");
    let parts = ["manifest.json", "config.json", "layer.tar"];
    run(Command::new("tar").arg("-cf").arg(part(&file)).arg("-C").arg(work.path()).args(parts));
    // Whoever looks into the folder sees the whole archive or none.
    fs::rename(part(&file), folder.join(&file)).expect("both lie in one folder");
    folder.join(file)
}

#[track_caller]
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("it lies in a folder")).expect("the folder can be written to");
    fs::copy(from, to).unwrap_or_else(|why| panic!("{}: {why}", from.display()));
}

#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed (this test needs root): {said}");
    String::from_utf8(output.stdout).expect("it prints text")
}
