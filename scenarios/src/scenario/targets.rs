//! `targets:` everything that load goes to or that a fault hits.

use crate::catalogue::TargetKind;
use crate::decode::fields::exactly_one;
use crate::decode::{Spanned, record};
use crate::diagnostic::{Code, Problems};
use crate::plan::{Owner, OwnerKind, Text};

record! {
    /// One form of target.
    Target, "a target", check = check;
    /// An address: `http://host:port`.
    optional url: Spanned<Text>,
    /// The header of each reply that names who answered, where a balancer stands before several (`x-pod`).
    optional instance_header: Spanned<String>,
    /// A name under `services`.
    optional service: Spanned<String>,
    /// A name under `links`.
    optional link: Spanned<String>,
    /// Processes of this host.
    optional process: Process,
    /// Containers of this host.
    optional docker: Docker,
    /// Pods.
    optional kubernetes: Kubernetes,
    /// A network namespace.
    optional netns: Spanned<String>,
}

impl Target {
    /// Which form it has.
    pub(crate) fn kind(&self) -> Option<TargetKind> {
        let forms = [
            (self.url.is_some(), TargetKind::Url),
            (self.service.is_some(), TargetKind::Service),
            (self.link.is_some(), TargetKind::Link),
            (self.process.is_some(), TargetKind::Process),
            (self.docker.is_some(), TargetKind::Docker),
            (self.kubernetes.is_some(), TargetKind::Kubernetes),
            (self.netns.is_some(), TargetKind::Netns),
        ];
        forms.into_iter().find_map(|(given, kind)| given.then_some(kind))
    }
}

fn check(target: &Target, problems: &mut Problems) {
    let given = [
        ("url", target.url.is_some()),
        ("service", target.service.is_some()),
        ("link", target.link.is_some()),
        ("process", target.process.is_some()),
        ("docker", target.docker.is_some()),
        ("kubernetes", target.kubernetes.is_some()),
        ("netns", target.netns.is_some()),
    ];
    exactly_one(target.span, "a target", &given, problems);
    if let Some(header) = &target.instance_header {
        if target.url.is_none() {
            let help = "only a `url` hides who answers; instances of services have their names";
            problems.error(Code::E012, header.span, "`instance_header` belongs to a `url` target", help);
        }
        if !is_header_name(&header.value) {
            let message = format!("`{}` is no name of a header", header.value);
            problems.error(Code::E028, header.span, message, "letters, digits and dashes: `x-pod`");
        }
    }
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

record! {
    /// How processes are found; all given conditions must hold.
    Process, "a process target", check = check_process;
    /// The executable's name.
    optional name: String,
    /// This process.
    optional pid: Spanned<u32>,
    /// A regular expression over the command line.
    optional cmdline: Spanned<String>,
    /// The process that listens on this TCP port.
    optional port: Spanned<u16>,
    /// How many are expected.
    optional count: Spanned<usize>,
}

fn check_process(process: &Process, problems: &mut Problems) {
    let found_by_nothing =
        process.name.is_none() && process.pid.is_none() && process.cmdline.is_none() && process.port.is_none();
    if found_by_nothing {
        let help = "give `name`, `pid`, `cmdline` or `port`";
        problems.error(Code::E013, process.span, "nothing says which process is meant", help);
    }
    if let Some(pid) = process.pid.as_ref().filter(|pid| pid.value <= 1 || pid.value > 1 << 22) {
        let message = format!("{} is not a process that may be hit", pid.value);
        problems.error(Code::E028, pid.span, message, "a pid from 2 to 4194304");
    }
    if let Some(port) = process.port.as_ref().filter(|port| port.value == 0) {
        problems.error(Code::E028, port.span, "port 0 is no port", "from 1 to 65535");
    }
    if let Some(count) = process.count.as_ref().filter(|count| count.value == 0) {
        problems.error(Code::E028, count.span, "no process is no target", "at least 1");
    }
    if let Some(cmdline) = &process.cmdline
        && let Err(error) = regex::Regex::new(&cmdline.value)
    {
        crate::validate::regex(cmdline.span, &error, problems);
    }
}

record! {
    /// How containers are found.
    Docker, "a docker target", check = check_docker;
    /// The container's name.
    optional name: String,
    /// `key=value` of a label.
    optional label: String,
    /// A project of compose.
    optional compose_project: String,
    /// A service of that project.
    optional service: String,
}

fn check_docker(docker: &Docker, problems: &mut Problems) {
    let compose = docker.compose_project.is_some() || docker.service.is_some();
    let given = [("name", docker.name.is_some()), ("label", docker.label.is_some()), ("compose_project", compose)];
    exactly_one(docker.span, "a docker target", &given, problems);
    if compose && (docker.compose_project.is_none() || docker.service.is_none()) {
        let help = "give both, or `name`, or `label`";
        problems.error(Code::E012, docker.span, "`compose_project` and `service` go together", help);
    }
    if let Some(label) = docker.label.as_ref().filter(|label| !label.contains('=') || label.starts_with('=')) {
        let help = "write name and value: `label: \"com.example.tier=db\"`";
        problems.error(Code::E028, docker.span, format!("`{label}` is no label with its value"), help);
    }
}

record! {
    /// How pods are found; all given conditions must hold.
    Kubernetes, "a kubernetes target", check = check_kubernetes;
    /// A context of the kubeconfig; default: the current one.
    optional context: String,
    /// The namespace; default: that of the context.
    optional namespace: String,
    /// A label selector: `app=payment`.
    optional selector: String,
    /// A field selector: `spec.nodeName=worker-2`.
    optional fields: String,
    /// What made them: `deployment/payment`, `statefulset/db`, `daemonset/log`, `replicaset/x`, `job/x`.
    optional owner: Spanned<String>,
    /// Only those on this node.
    optional node: String,
    /// Only those on nodes of this zone, by the label `topology.kubernetes.io/zone`.
    optional zone: String,
    /// One container of each pod.
    optional container: Spanned<String>,
    /// Processes in that container, by the keys of a process target, for `process.*`: all that fit are hit.
    optional process: Process,
}

fn check_kubernetes(pods: &Kubernetes, problems: &mut Problems) {
    // A namespace alone is for faults on namespaces; those on pods refuse it.
    let finds =
        [&pods.namespace, &pods.selector, &pods.fields, &pods.node, &pods.zone].iter().any(|given| given.is_some());
    if !finds && pods.owner.is_none() {
        let help = "give `selector`, `fields`, `owner`, `node` or `zone`, or only a `namespace` for faults on that";
        problems.error(Code::E013, pods.span, "nothing says which pods are meant", help);
    }
    if let Some(owner) = &pods.owner
        && Owner::parse(&owner.value).is_none()
    {
        let message = format!("`{}` is no owner of pods", owner.value);
        let kinds: Vec<&str> = OwnerKind::ALL.iter().map(|kind| kind.word()).collect();
        let help = format!("write kind and name: `deployment/payment`; the kinds are {}", kinds.join(", "));
        problems.error(Code::E028, owner.span, message, help);
    }
    if let Some(port) = pods.process.as_ref().and_then(|process| process.port.as_ref()) {
        let help = "use `name` or `cmdline`: to see who listens on a port, an agent in a pod would need the right to trace \
                    the pod's processes (SYS_PTRACE), and brunt gives it none";
        problems.error(Code::E028, port.span, "processes in pods are not found by their ports", help);
    }
}
