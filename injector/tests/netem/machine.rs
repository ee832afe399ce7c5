//! The virtual machine in which the stories are told: what they need of its kernel, and what becomes of what they measure.

use std::fs;
use std::path::Path;

use brunt_virtual_machine::VirtualMachine;

use crate::accuracy::MARK;

/// What the stories need; the machine brings what that needs.
const MODULES: [&str; 18] = [
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
    "nft_fwd_netdev",
    "nft_compat",
    "xt_NFQUEUE",
    "nfnetlink_queue",
];
/// Where the section begins that is written into docs/accuracy.md; it is the last of the page.
const SECTION: &str = "## netem";
const ABOUT: &str = "\
Where the kernel has netem it serves constant latencies and losses first. Measured in a virtual machine with Debian's kernel that
is emulated in software, with a clock that counts instructions: so this is what the kernel's queues do, and not how busy the
machine was. Milliseconds; what a datagram takes there without any fault is part of it.";

#[test]
#[ignore = "boots a virtual machine: run by ./tests/run, which fetches a kernel for it"]
fn the_stories_of_netem_hold_in_a_virtual_machine() {
    let this = std::env::current_exe().unwrap();
    let stand_in = Path::new(env!("CARGO_BIN_EXE_brunt-injector-stand-in"));
    let machine = VirtualMachine::new().with_modules(&MODULES).with_tools(&["tc"]);
    let machine = machine.with_program(&this, "stories").with_program(stand_in, "stand-in");
    // All but this one; of those, whatever somebody wants to see alone.
    let told = std::env::var("BRUNT_TEST_STORIES");
    let told = told.unwrap_or_else(|_| "inside:: faults:: safety:: accuracy::".into());
    let update = std::env::var_os("BRUNT_UPDATE").map_or("", |_| "BRUNT_UPDATE=1");
    // Its threads wait for their turn, so one story at a time.
    let words = "--ignored --test-threads=1 --show-output";
    let said = machine.run(&format!("BRUNT_TEST_IN_MACHINE=1 {update} stories {words} {told}"));
    println!("{}", said.text);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("test result: ok") && !said.text.contains(" 0 passed"), "{}", said.text);
    if !update.is_empty() {
        write_accuracy(&said.text);
    }
}

/// Puts what was measured into the section of docs/accuracy.md that is about netem; the benchmark that writes the rest of the page
/// leaves it alone.
fn write_accuracy(said: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/accuracy.md");
    let text = fs::read_to_string(&page).unwrap();
    let before = text.split(SECTION).next().unwrap().trim_end();
    let rows = said.lines().filter_map(|line| line.split_once(MARK.trim_end()));
    let measured: String = rows.map(|(_, row)| format!("{}\n", row.trim())).collect();
    assert!(measured.lines().count() > 10, "{said}");
    fs::write(&page, format!("{before}\n\n{SECTION}\n\n{ABOUT}\n\n{measured}")).unwrap();
}
