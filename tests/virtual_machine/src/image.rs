//! The file system of a machine, as its kernel unpacks it into memory.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{VirtualMachine, output};

/// Printed before the script's first word, and after its last, there followed by its exit code.
pub const BEGIN: &str = "==begin";
pub const END: &str = "==code=";

/// Makes it in `folder`.
pub fn make(machine: &VirtualMachine, script: &str, folder: &Path) -> PathBuf {
    let root = folder.join("root");
    for name in ["bin", "proc", "sys", "dev", "tmp", "run/netns", "lib/modules", "root", "etc", "var/tmp"] {
        create(&root.join(name));
    }
    let modules = modules(machine, &root);
    for name in ["busybox", "dash", "ip"] {
        add(&installed(name), &root.join("bin").join(name), &root);
    }
    // Not busybox's own shell: it prefers its applets to the real `ip`.
    symlink("dash", root.join("bin/sh")).expect("the folder is ours");
    for applet in
        ["mount", "umount", "insmod", "poweroff", "cat", "sleep", "head", "tail", "wc", "setsid", "mkdir", "mv"]
    {
        symlink("busybox", root.join("bin").join(applet)).expect("the folder is ours");
    }
    for (program, name) in &machine.programs {
        let to = root.join("bin").join(name);
        add(program, &to, &root);
        output(Command::new("strip").arg(&to));
    }
    let insert: String = modules.iter().map(|module| format!("insmod /lib/modules/{module}\n")).collect();
    let disk = if machine.disk { "mount -t ext4 /dev/vda /var/tmp\n" } else { "" };
    let init = format!(
        "#!/bin/sh\nexport PATH=/bin\nmount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n\
         {insert}{disk}ip link set lo up\necho {BEGIN}\n(\n{script}\n)\necho \"{END}$?\"\npoweroff -f\n"
    );
    write(&root.join("init"), &init);
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).expect("the file is ours");
    let image = folder.join("image");
    let pack = format!("find . | cpio --quiet -o -H newc > {}", image.display());
    output(Command::new("sh").args(["-ec", &pack]).current_dir(&root));
    image
}

/// Where this host has a program; many lie where only root looks.
pub fn installed(name: &str) -> PathBuf {
    let find = format!("PATH=$PATH:/usr/sbin:/sbin command -v {name}");
    PathBuf::from(output(Command::new("sh").args(["-c", &find])).trim())
}

/// An empty file system on a disk.
pub fn disk(folder: &Path) -> PathBuf {
    let path = folder.join("disk");
    let file = fs::File::create(&path).expect("the folder is ours");
    file.set_len(256 << 20).expect("it has no content yet");
    output(Command::new("/sbin/mke2fs").args(["-q", "-t", "ext4"]).arg(&path));
    path
}

/// The only entry of a folder whose name begins like this.
pub fn only(folder: &Path, beginning: &str) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = entries.flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning));
    found.find(named).unwrap_or_else(|| panic!("no {beginning}.. in {}", folder.display()))
}

fn create(folder: &Path) {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("{} to {}: {error}", from.display(), to.display()));
}

/// A program and the libraries that it is linked with, where it looks for them.
fn add(program: &Path, to: &Path, root: &Path) {
    copy(program, to);
    let linked = Command::new("ldd").arg(program).output().expect("ldd is there");
    let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
    for word in linked.split_whitespace().filter(|word| word.starts_with('/')) {
        let place = root.join(word.trim_start_matches('/'));
        if !place.exists() {
            create(place.parent().expect("a library lies in a folder"));
            copy(Path::new(word), &place);
        }
    }
}

/// Copies the modules, those that others need first; their names.
fn modules(machine: &VirtualMachine, root: &Path) -> Vec<String> {
    let folder = only(&machine.kernel.join("lib/modules"), "");
    let builtin =
        fs::read_to_string(folder.join("modules.builtin")).expect("the package has a list of what is built in");
    let all = output(Command::new("find").arg(&folder).args(["-name", "*.ko*"]));
    let mut names = Vec::new();
    for module in &machine.modules {
        want(module, &all, &builtin, root, &mut names);
    }
    names
}

fn want(module: &str, all: &str, builtin: &str, root: &Path, names: &mut Vec<String>) {
    let plain = |name: &str| name.replace('-', "_");
    let is = |line: &&str| {
        let name = line.rsplit('/').next().unwrap_or_default();
        name.split('.').next().is_some_and(|name| plain(name) == plain(module))
    };
    // What is built in needs no file.
    if builtin.lines().any(|line| is(&line)) {
        return;
    }
    let path = all.lines().find(is).unwrap_or_else(|| panic!("this kernel has no module {module}"));
    let needs = output(Command::new("/sbin/modinfo").args(["-F", "depends", path]));
    for other in needs.trim().split(',').filter(|other| !other.is_empty()) {
        want(other, all, builtin, root, names);
    }
    let file = path.rsplit('/').next().unwrap_or(path);
    let unpacked = file.trim_end_matches(".xz").to_owned();
    if names.contains(&unpacked) {
        return;
    }
    let to = root.join("lib/modules").join(&unpacked);
    if file.ends_with(".xz") {
        let text = Command::new("xz").args(["-dc", path]).output().expect("xz is there").stdout;
        write(&to, text);
    } else {
        copy(Path::new(path), &to);
    }
    names.push(unpacked);
}
