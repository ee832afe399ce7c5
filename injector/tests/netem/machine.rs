//! The virtual machine in which the stories of `inside` are told: what they need of its kernel.

use brunt_virtual_machine::VirtualMachine;

/// What the stories need; the machine brings what that needs.
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

#[test]
#[ignore = "boots a virtual machine: run by ./tests/run, which fetches a kernel for it"]
fn the_stories_of_netem_hold_in_a_virtual_machine() {
    let this = std::env::current_exe().unwrap();
    let machine = VirtualMachine::new().with_modules(&MODULES).with_tools(&["tc"]).with_program(&this, "stories");
    // Its threads wait for their turn, so one story at a time.
    let said = machine.run("BRUNT_TEST_IN_MACHINE=1 stories --ignored --test-threads=1 inside::");
    println!("{}", said.text);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("test result: ok") && !said.text.contains(" 0 passed"), "{}", said.text);
}
