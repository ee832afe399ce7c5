//! The virtual machine: a kernel, its modules, and a file system in memory with this program and what it needs.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What the stories need, and what that needs.
const MODULES: [&str; 14] = [
    "veth",
    "ifb",
    "sch_netem",
    "sch_prio",
    "sch_htb",
    "sch_tbf",
    "sch_fq",
    "sch_fq_codel",
    "sch_ingress",
    "cls_u32",
    "cls_flower",
    "act_mirred",
    "nf_tables",
    "nft_numgen",
];
/// Longer than any run has taken on a busy machine, by far.
const PATIENCE: Duration = Duration::from_secs(1500);

#[test]
#[ignore = "boots a virtual machine: run by ./tests/run, which fetches a kernel for it"]
fn the_stories_of_netem_hold_in_a_virtual_machine() {
    let kernel = std::env::var_os("BRUNT_TEST_KERNEL");
    let kernel = PathBuf::from(kernel.expect("BRUNT_TEST_KERNEL names an unpacked kernel package: run ./tests/run"));
    let folder = tempfile::tempdir().unwrap();
    let image = image(&kernel, folder.path());
    let said = boot(&kernel, &image);
    let stories = said.split_once("==begin").unwrap_or_else(|| panic!("it has not booted:\n{said}")).1;
    println!("{stories}");
    assert!(stories.contains("==rc=0"), "{stories}");
    assert!(stories.contains("test result: ok") && !stories.contains(" 0 passed"), "{stories}");
}

/// The only file below a folder whose name begins like this.
fn only(folder: &Path, beginning: &str) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = entries.map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(beginning);
    found.find(named).unwrap_or_else(|| panic!("no {beginning}.. in {}", folder.display()))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Makes the file system, as the kernel unpacks it.
fn image(kernel: &Path, folder: &Path) -> PathBuf {
    let root = folder.join("root");
    for name in ["bin", "proc", "sys", "dev", "tmp", "run/netns", "lib/modules", "root", "etc"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let modules = modules(kernel, &root);
    for name in ["busybox", "dash", "ip", "tc"] {
        let path = output(Command::new("sh").args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin command -v {name}")]));
        add(Path::new(path.trim()), &root.join("bin").join(name), &root);
    }
    // Not busybox's own shell: it prefers its applets to the real `ip`.
    symlink("dash", root.join("bin/sh")).unwrap();
    for applet in ["mount", "insmod", "poweroff", "cat"] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    let this = std::env::current_exe().unwrap();
    add(&this, &root.join("stories"), &root);
    // Without its symbols it is a tenth: the whole of it is read into an emulated memory.
    output(Command::new("strip").arg(root.join("stories")));
    let insert: String = modules.iter().map(|module| format!("insmod /lib/modules/{module}\n")).collect();
    // Its threads wait for their turn, so one story at a time.
    let init = format!(
        "#!/bin/sh\nexport PATH=/bin\nmount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n{insert}\
         ip link set lo up\necho ==begin\nBRUNT_TEST_IN_MACHINE=1 /stories --ignored --test-threads=1 inside::\n\
         echo \"==rc=$?\"\npoweroff -f\n"
    );
    fs::write(root.join("init"), init).unwrap();
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).unwrap();
    let image = folder.join("image");
    let pack = format!("find . | cpio --quiet -o -H newc > {}", image.display());
    output(Command::new("sh").args(["-ec", &pack]).current_dir(&root));
    image
}

/// A program and the libraries that it is linked with, where it looks for them.
fn add(program: &Path, to: &Path, root: &Path) {
    fs::copy(program, to).unwrap();
    let linked = Command::new("ldd").arg(program).output().unwrap();
    for word in String::from_utf8(linked.stdout).unwrap().split_whitespace().filter(|word| word.starts_with('/')) {
        let place = root.join(word.trim_start_matches('/'));
        if !place.exists() {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(word, &place).unwrap();
        }
    }
}

/// Copies the modules, those that others need first; their names.
fn modules(kernel: &Path, root: &Path) -> Vec<String> {
    let folder = only(&kernel.join("lib/modules"), "");
    let listed = fs::read_to_string(folder.join("modules.builtin")).unwrap();
    let all = output(Command::new("find").arg(&folder).args(["-name", "*.ko*"]));
    let mut names = Vec::new();
    for module in MODULES {
        // What is built in needs no file.
        if !listed.contains(&format!("/{module}.ko")) {
            want(module, &all, root, &mut names);
        }
    }
    names
}

fn want(module: &str, all: &str, root: &Path, names: &mut Vec<String>) {
    let is = |line: &&str| {
        let name = line.rsplit('/').next().unwrap_or_default();
        name.split('.').next().is_some_and(|name| name.replace('-', "_") == module.replace('-', "_"))
    };
    let path = all.lines().find(is).unwrap_or_else(|| panic!("this kernel has no module {module}"));
    let needs = output(Command::new("/sbin/modinfo").args(["-F", "depends", path]));
    for other in needs.trim().split(',').filter(|other| !other.is_empty()) {
        want(other, all, root, names);
    }
    let file = path.rsplit('/').next().unwrap();
    if names.iter().any(|name| file.starts_with(name.as_str())) {
        return;
    }
    let plain = file.trim_end_matches(".xz").to_owned();
    if file.ends_with(".xz") {
        let unpacked = Command::new("xz").args(["-dc", path]).output().unwrap();
        fs::write(root.join("lib/modules").join(&plain), unpacked.stdout).unwrap();
    } else {
        fs::copy(path, root.join("lib/modules").join(&plain)).unwrap();
    }
    names.push(plain);
}

/// Runs it until it switches itself off, and returns what it printed.
fn boot(kernel: &Path, image: &Path) -> String {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-m", "512", "-smp", "1", "-nographic", "-no-reboot", "-nic", "none"]);
    // Its clock counts its instructions, 4 ns each, and jumps to the next timer while it waits: how busy this machine is cannot be
    // seen from inside, neither by what is measured there nor by a lease.
    command.args(["-icount", "shift=2,sleep=off", "-rtc", "clock=vm"]);
    command.arg("-kernel").arg(only(&kernel.join("boot"), "vmlinuz-")).arg("-initrd").arg(image);
    command.args(["-append", "console=ttyS0 quiet panic=-1"]);
    let mut machine = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("qemu-system-x86_64 starts");
    let mut console = machine.stdout.take().unwrap();
    let (over, waiting) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = console.read_to_end(&mut said);
        let _ = over.send(());
        String::from_utf8_lossy(&said).replace('\r', "")
    });
    let in_time = waiting.recv_timeout(PATIENCE).is_ok();
    let _ = machine.kill();
    machine.wait().unwrap();
    let said = reader.join().unwrap();
    assert!(in_time, "it was not over after {PATIENCE:?}:\n{said}");
    said
}
