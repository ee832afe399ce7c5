//! A virtual machine for stories that this host's kernel cannot tell: Debian's kernel, its modules, and a file system in memory
//! with the programs that a story needs and what they are linked with. It switches itself off when its script has ended.
//!
//! `./tests/run` fetches the kernel's package and names its folder in `BRUNT_TEST_KERNEL`. The processor is emulated: where the
//! tests run hardware seldom helps, and its clock counts its own instructions instead, so how busy this host is cannot be seen
//! from inside, neither by what is measured there nor by a lease.

mod image;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than any machine has run on a busy host, by far.
const PATIENCE: Duration = Duration::from_secs(1500);

/// A machine that is to be.
#[derive(Debug)]
pub struct VirtualMachine {
    kernel: PathBuf,
    modules: Vec<&'static str>,
    programs: Vec<(PathBuf, String)>,
    memory: u32,
    disk: bool,
    arguments: String,
}

/// What a machine has printed.
#[derive(Debug)]
pub struct Said {
    /// From the first word of the script on.
    pub text: String,
    /// The script's exit code; `None` when it has not come to its end.
    pub code: Option<i32>,
}

impl Default for VirtualMachine {
    fn default() -> Self {
        Self::new()
    }
}

impl VirtualMachine {
    /// A processor, half a GiB, a shell, and `ip`.
    ///
    /// # Panics
    /// Without `BRUNT_TEST_KERNEL`.
    pub fn new() -> Self {
        let kernel = std::env::var_os("BRUNT_TEST_KERNEL").map(PathBuf::from);
        let kernel = kernel.expect("BRUNT_TEST_KERNEL names an unpacked kernel package: run ./tests/run");
        let (modules, programs) = (Vec::new(), Vec::new());
        Self { kernel, modules, programs, memory: 512, disk: false, arguments: String::new() }
    }

    /// With these modules of the kernel, and those that they need.
    #[must_use]
    pub fn with_modules(mut self, modules: &[&'static str]) -> Self {
        self.modules.extend(modules);
        self
    }

    /// With these programs of this host.
    ///
    /// # Panics
    /// When one is not installed.
    #[must_use]
    pub fn with_tools(mut self, tools: &[&str]) -> Self {
        self.programs.extend(tools.iter().map(|name| (image::installed(name), (*name).to_owned())));
        self
    }

    /// With this program as `/bin/NAME`, without its symbols: all of it is read into an emulated memory.
    #[must_use]
    pub fn with_program(mut self, program: &Path, name: &str) -> Self {
        self.programs.push((program.to_owned(), name.to_owned()));
        self
    }

    /// With so many MiB of memory.
    #[must_use]
    pub fn with_memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// With an empty disk of 256 MiB at `/var/tmp`.
    #[must_use]
    pub fn with_disk(mut self) -> Self {
        self.disk = true;
        self.with_modules(&["virtio_pci", "virtio_blk", "ext4"])
    }

    /// With these words for the kernel.
    #[must_use]
    pub fn with_arguments(mut self, arguments: &str) -> Self {
        self.arguments = arguments.to_owned();
        self
    }

    /// Boots, runs the script by a shell, and waits until the machine has switched itself off.
    ///
    /// # Panics
    /// When it cannot be made, does not boot, or is not over in time; with all that it has said.
    pub fn run(self, script: &str) -> Said {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let image = image::make(&self, script, folder.path());
        let said = self.boot(&image, folder.path());
        let text = said.split_once(image::BEGIN).unwrap_or_else(|| panic!("it has not booted:\n{said}")).1.to_owned();
        let code = text.split_once(image::END).and_then(|(_, code)| code.lines().next()?.trim().parse().ok());
        Said { text, code }
    }

    fn boot(&self, image: &Path, folder: &Path) -> String {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-m", &self.memory.to_string(), "-smp", "1", "-nographic", "-no-reboot", "-nic", "none"]);
        // Four nanoseconds each, and it jumps to the next timer while it waits.
        command.args(["-icount", "shift=2,sleep=off", "-rtc", "clock=vm"]);
        command.arg("-kernel").arg(image::only(&self.kernel.join("boot"), "vmlinuz-")).arg("-initrd").arg(image);
        command.args(["-append", &format!("console=ttyS0 quiet panic=-1 {}", self.arguments)]);
        if self.disk {
            let disk = image::disk(folder);
            command.args(["-drive", &format!("file={},format=raw,if=virtio,cache=unsafe", disk.display())]);
        }
        let mut machine =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("qemu-system-x86_64 starts");
        let mut console = machine.stdout.take().expect("it is piped");
        let (over, waiting) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut said = Vec::new();
            let _ = console.read_to_end(&mut said);
            let _ = over.send(());
            String::from_utf8_lossy(&said).replace('\r', "")
        });
        let in_time = waiting.recv_timeout(PATIENCE).is_ok();
        let _ = machine.kill();
        machine.wait().expect("a child can be waited for");
        let said = reader.join().expect("reading does not panic");
        assert!(in_time, "it was not over after {PATIENCE:?}:\n{said}");
        said
    }
}

/// What a command of this host prints.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}
