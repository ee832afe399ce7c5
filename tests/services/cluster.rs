//! A cluster to try things on by hand, for as long as standard input is open:
//!
//! ```text
//! BRUNT_TEST_KUBERNETES=... BRUNT_BIN=... cargo run -p brunt-tests --bin cluster
//! ```
//!
//! It prints how the cluster is reached.

use std::io::Read as _;

use brunt_tests::cluster::Cluster;

fn main() {
    let prefix = std::env::args().nth(1).unwrap_or_else(|| format!("brunt-{}", std::process::id()));
    let cluster = Cluster::launch(&prefix);
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("nsenter --net=/run/netns/{} {} kubectl get nodes", cluster.network(), Cluster::program().display());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
