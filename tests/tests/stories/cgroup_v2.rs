//! The stories of what weighs on a target from inside its cgroup, told again where cgroups are of version 2 only, as most
//! machines have them: on this host's kernel they may be of version 1, so they are told in a virtual machine.

use brunt_tests::{answering, brunt, machine};
use brunt_virtual_machine::VirtualMachine;

#[test]
fn what_weighs_on_a_target_weighs_on_it_in_a_cgroup_of_version_2() {
    let _machine = machine::alone();
    let this = std::env::current_exe().unwrap();
    let machine = VirtualMachine::new()
        .with_arguments("cgroup_no_v1=all")
        .with_memory(2048)
        .with_disk()
        .with_program(&brunt::binary(), "brunt")
        .with_program(&answering::program(), "answering")
        // As cargo lays them out, for the tests look for the one beside the other.
        .with_program(&this, "stories");
    let said = machine.run(
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup
         mkdir -p /target/deps; mv /bin/answering /target; mv /bin/stories /target/deps
         BRUNT_BIN=/bin/brunt HOME=/root /target/deps/stories --test-threads=1 stress::",
    );
    println!("{}", said.text);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("test result: ok") && !said.text.contains(" 0 passed"), "{}", said.text);
}
