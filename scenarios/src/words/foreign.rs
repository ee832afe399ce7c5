//! The table of words that other tools use, each at the place where somebody who knows that tool would write it, and what to
//! write instead. A test writes every word at its place and looks for its hint there.

/// Where a word would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// As a key of the mapping that messages call so: `a load entry`.
    Key(&'static str),
    /// As a parameter under `with`.
    With,
    /// As the kind of a fault.
    Fault,
    /// As a metric.
    Metric,
    /// As one of a few words, among which this one is.
    OneOf(&'static str),
}

/// A word of other tools.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    /// As it is written there. Compared without regard to case, `_` and `-`.
    pub word: &'static str,
    /// Which tools use it.
    pub from: &'static str,
    /// Where it would be written here.
    pub at: Place,
    /// What to write instead.
    pub here: &'static str,
}

const fn word(at: Place, word: &'static str, from: &'static str, here: &'static str) -> Foreign {
    Foreign { word, from, at, here }
}

/// How messages call the top of the file.
pub(super) const TOP_LEVEL: &str = "the scenario";

const TOP: Place = Place::Key(TOP_LEVEL);
const LOAD: Place = Place::Key("a load entry");
const STAGE: Place = Place::Key("a stage");
const JOURNEY: Place = Place::Key("a journey");
const STEP: Place = Place::Key("a step");
const CHECK: Place = Place::Key("a check");
const ITEM: Place = Place::Key("an item of the timeline");
const TARGET: Place = Place::Key("a target");
const SERVICE: Place = Place::Key("a service");
const KUBERNETES: Place = Place::Key("a kubernetes target");
const LINK: Place = Place::Key("a link");
const GATE: Place = Place::Key("a gate");
const GUARDRAIL: Place = Place::Key("a guardrail");
const WITH: Place = Place::With;
const FAULT: Place = Place::Fault;
const METRIC: Place = Place::Metric;
const MODEL: Place = Place::OneOf("open");
const SIGNAL: Place = Place::OneOf("TERM");
const LINKS: &str = "called `links` here: each is a proxy of brunt's, faults are in the `timeline`";
const USERS: &str = "called `users` here (`model: closed`)";
const PATH: &str = "write the method as the key: `get: /path`, `post: /path`";
const RATE: &str = "called `rate` here, with a unit: `rate: 200/s`";
const RAMP: &str = "write a stage: `{ ramp_to: 200/s, over: 30s, warmup: true }`";
const GATES: &str = "called `gates` here: `- { metric: latency.p99, max: 200ms }`";
const ABORT: &str = "called `abort_if` here: `- { metric: error_rate, above: 60%, for: 5s }`";
const STEADY: &str = "called `steady_state` here";
const CHECK_OR_GATES: &str = "called `check` at a step, `gates` for the run";
const TIMELINE: &str = "called `timeline` here: a list that runs in order";
const STEPS: &str = "called `steps` here, in a journey";
const EXTRACT: &str = "called `extract` here: `extract: { id: $.id }`";
const P95: &str = "called `latency.p95` here, or another percentile";

/// Every word that is known.
pub const ALL: &[Foreign] = &[
    // The whole file.
    word(TOP, "abort", "Vegeta", ABORT),
    word(TOP, "abortOnFail", "k6", ABORT),
    word(TOP, "stopConditions", "AWS FIS", ABORT),
    word(TOP, "guardrails", "Gremlin", ABORT),
    word(TOP, "thresholds", "k6", GATES),
    word(TOP, "ensure", "Artillery", GATES),
    word(TOP, "assertions", "Gatling", CHECK_OR_GATES),
    word(TOP, "tests", "Postman", "called `gates` here"),
    word(TOP, "scenarios", "k6, Artillery", "called `load` (how many, when) and `journeys` (what each does) here"),
    word(TOP, "scenario", "Gatling", "called `journeys` and `load` here"),
    word(TOP, "phases", "Artillery", "called `stages` here, in a load entry: `{ hold: 200/s, for: 5m }`"),
    word(TOP, "stages", "k6", "`stages` stand in an entry of `load`: `load: { main: { get: /, stages: [...] } }`"),
    word(TOP, "vus", "k6", "called `users` here, in an entry of `load`"),
    word(TOP, "duration", "k6", "called `for` here, in an entry of `load`"),
    word(TOP, "options", "k6", "there is no such level: `load`, `gates` and the rest stand at the top"),
    word(
        TOP,
        "config",
        "Artillery",
        "there is no such level: `targets`, `load`, `gates` and the rest stand at the top",
    ),
    word(TOP, "variables", "Artillery, JMeter", "called `vars` here"),
    word(TOP, "env", "GitHub, k6", "values are `vars`; the environment is read as `${env.NAME:-default}`"),
    word(
        TOP,
        "environment",
        "Artillery, Chaos Toolkit",
        "values are `vars`; the environment is read as `${env.NAME:-default}`",
    ),
    word(TOP, "configuration", "Chaos Toolkit", "called `vars` here"),
    word(
        TOP,
        "secrets",
        "Chaos Toolkit",
        "secrets are read where they are used: `${secret.env.NAME}`, `${secret.file.path}`",
    ),
    word(TOP, "payload", "Artillery", "called `feeders` here: `feeders: { users: { csv: ./users.csv } }`"),
    word(TOP, "threadGroup", "JMeter", "called `load` here"),
    word(TOP, "attacks", "Gremlin, Vegeta", TIMELINE),
    word(TOP, "chaos", "Chaos Mesh", TIMELINE),
    word(TOP, "experiment", "Chaos Toolkit, Litmus", TIMELINE),
    word(TOP, "experiments", "Litmus", TIMELINE),
    word(TOP, "method", "Chaos Toolkit", TIMELINE),
    word(TOP, "actions", "AWS FIS", TIMELINE),
    word(TOP, "faults", "", TIMELINE),
    word(TOP, "schedule", "Chaos Mesh", TIMELINE),
    word(TOP, "rollbacks", "Chaos Toolkit", "not needed: every fault is undone by itself"),
    word(TOP, "hypothesis", "Chaos Toolkit", STEADY),
    word(TOP, "steady-state-hypothesis", "Chaos Toolkit", STEADY),
    word(TOP, "title", "Chaos Toolkit", "called `name` here; `description` is the long one"),
    word(TOP, "tags", "k6, AWS FIS", "called `labels` here"),
    word(TOP, "metadata", "Kubernetes", "`name` and `labels` stand at the top"),
    word(TOP, "apiVersion", "Chaos Mesh, Litmus", "write `version: 1`"),
    word(TOP, "kind", "Chaos Mesh, Litmus", "a file is a scenario; faults are in its `timeline`"),
    word(TOP, "spec", "Chaos Mesh, Litmus", "there is no such level: `load`, `timeline` and the rest stand at the top"),
    word(TOP, "proxies", "Toxiproxy", LINKS),
    word(TOP, "toxics", "Toxiproxy", "called `timeline` here: each toxic is a fault on a link"),
    word(TOP, "endpoints", "Kubernetes", "called `targets` here"),
    word(TOP, "host", "Locust", "called `targets` here: `targets: { api: { url: \"http://host:port\" } }`"),
    word(TOP, "processes", "", "called `services` for those that brunt starts, `targets` for others"),
    word(TOP, "tasks", "Locust", STEPS),
    word(TOP, "flow", "Artillery", STEPS),
    word(TOP, "requests", "Postman", STEPS),
    word(TOP, "report", "", "called `outputs` here"),
    word(TOP, "reports", "", "called `outputs` here"),
    word(TOP, "include", "GitLab", "write the tag `!include ./file.yaml` in place of the value"),
    word(TOP, "objectives", "OpenSLO", "called `slos` here"),
    word(TOP, "sla", "", "called `slos` here, `gates` for what CI judges"),
    word(TOP, "slo", "OpenSLO", "called `slos` here"),
    // How many come when.
    word(LOAD, "vus", "k6", USERS),
    word(LOAD, "startVUs", "k6", "write the first stage: `{ hold: 10, for: 1s }` of `model: closed`"),
    word(LOAD, "virtualUsers", "Artillery", USERS),
    word(LOAD, "concurrency", "wrk, hey, ab", USERS),
    word(LOAD, "connections", "wrk", USERS),
    word(LOAD, "threads", "wrk, JMeter", USERS),
    word(LOAD, "num_threads", "JMeter", USERS),
    word(LOAD, "duration", "k6, Artillery, Vegeta", "called `for` here: `for: 30s`"),
    word(LOAD, "maxDuration", "k6", "called `for` here: `for: 30s`"),
    word(LOAD, "run-time", "Locust", "called `for` here: `for: 30s`"),
    word(LOAD, "arrivalRate", "Artillery", RATE),
    word(LOAD, "arrivalCount", "Artillery", RATE),
    word(LOAD, "rps", "k6", RATE),
    word(LOAD, "qps", "Fortio", RATE),
    word(LOAD, "constantUsersPerSec", "Gatling", RATE),
    word(LOAD, "throughput", "JMeter, Gatling", RATE),
    word(LOAD, "timeUnit", "k6", "the unit stands in the rate: `200/s`, `30/m`"),
    word(LOAD, "preAllocatedVUs", "k6", "not needed: nothing is allocated beforehand"),
    word(LOAD, "maxVUs", "k6", "called `max_in_flight` here"),
    word(LOAD, "maxVusers", "Artillery", "called `max_in_flight` here"),
    word(LOAD, "executor", "k6", "called `model` here: `open` or `closed`"),
    word(LOAD, "exec", "k6", "called `journey` here: a name under `journeys`"),
    word(LOAD, "iterations", "k6", "load is given as `rate` or `users`, with `for`"),
    word(LOAD, "loops", "JMeter", "load is given as `rate` or `users`, with `for`"),
    word(LOAD, "rampUp", "JMeter", RAMP),
    word(LOAD, "rampTo", "Artillery", RAMP),
    word(LOAD, "rampUsers", "Gatling", RAMP),
    word(LOAD, "spawnRate", "Locust", RAMP),
    word(LOAD, "warmup_time", "", "mark a stage with `warmup: true`"),
    word(LOAD, "phases", "Artillery", "called `stages` here"),
    word(LOAD, "gracefulStop", "k6", "called `drain` here"),
    word(LOAD, "url", "Vegeta, hey", "the host stands under `targets`, the path at the method: `get: /path`"),
    word(LOAD, "method", "k6, Vegeta", PATH),
    word(LOAD, "wait_time", "Locust", "called `think` here, a step of a journey: `- think: 1s..3s`"),
    word(STAGE, "duration", "k6, Artillery", "called `for` at `hold`, `over` at `ramp_to`"),
    word(STAGE, "target", "k6", "called `ramp_to` here: `{ ramp_to: 200/s, over: 30s }`"),
    word(STAGE, "rampTo", "Artillery", "called `ramp_to` here: `{ ramp_to: 200/s, over: 30s }`"),
    word(STAGE, "arrivalRate", "Artillery", "called `hold` here: `{ hold: 200/s, for: 5m }`"),
    word(STAGE, "rate", "", "called `hold` here: `{ hold: 200/s, for: 5m }`"),
    word(STAGE, "users", "Locust", "called `hold` here: `{ hold: 50, for: 5m }` of `model: closed`"),
    word(STAGE, "pause", "Artillery", "called `hold` here: `{ hold: 0/s, for: 5s }`"),
    // What one user does.
    word(JOURNEY, "flow", "Artillery", "called `steps` here"),
    word(JOURNEY, "tasks", "Locust", "called `steps` here"),
    word(JOURNEY, "requests", "Postman", "called `steps` here"),
    word(JOURNEY, "exec", "Gatling", "called `steps` here"),
    word(JOURNEY, "weight", "Artillery, Locust", "shares stand at the load: `mix: { browse: 80%, buy: 20% }`"),
    word(JOURNEY, "baseUrl", "Gatling", "called `target` here: a name under `targets`"),
    word(JOURNEY, "feeder", "Gatling", "called `feed` here: a name under `feeders`"),
    word(STEP, "method", "k6, Vegeta", PATH),
    word(STEP, "path", "", PATH),
    word(STEP, "url", "Artillery, k6", "the host stands under `targets`, the path at the method: `get: /path`"),
    word(STEP, "name", "k6, Gatling", "called `id` here"),
    word(STEP, "expect", "Artillery", "called `check` here: `check: { status: 200 }`"),
    word(STEP, "assert", "Postman", CHECK_OR_GATES),
    word(STEP, "asserts", "Hurl", CHECK_OR_GATES),
    word(STEP, "validate", "", "called `check` here"),
    word(STEP, "checks", "k6", "called `check` here: `check: { status: 200 }`"),
    word(STEP, "capture", "Artillery", EXTRACT),
    word(STEP, "captures", "Hurl", EXTRACT),
    word(STEP, "saveAs", "Gatling", EXTRACT),
    word(STEP, "body_json", "", "called `json` here"),
    word(STEP, "payload", "", "called `json`, `form` or `body` here"),
    word(STEP, "sleep", "k6", "called `think` here, a step of its own: `- think: 1s..3s`"),
    word(STEP, "thinkTime", "Artillery", "called `think` here, a step of its own: `- think: 1s..3s`"),
    word(STEP, "pause", "Gatling", "called `think` here, a step of its own: `- think: 1s..3s`"),
    word(STEP, "retries", "", "called `retry` here; until a reply is as wanted: `retry_until`"),
    word(CHECK, "statusCode", "Artillery", "called `status` here: `status: 200` or `status: [200, 201]`"),
    word(CHECK, "jsonPath", "Gatling", "called `body` here: `body: { $.state: paid }`"),
    word(CHECK, "bodyContains", "", "called `regex` here"),
    word(CHECK, "responseTime", "Gatling", "called `latency` here: `latency: { max: 200ms }`"),
    // What happens when.
    word(ITEM, "duration", "Chaos Mesh, Pumba, AWS FIS", "called `for` here: `for: 30s`"),
    word(
        ITEM,
        "at",
        "",
        "there is no `at`: the timeline runs in order; use `pause: 5s` or `delay` inside of `parallel`",
    ),
    word(ITEM, "startAfter", "AWS FIS", "the timeline runs in order; what starts together stands in `parallel`"),
    word(ITEM, "dependsOn", "", "there is no dependency graph: the timeline runs in order"),
    word(ITEM, "action", "Chaos Mesh, AWS FIS", "called `fault` here: `fault: network.latency`"),
    word(ITEM, "actionId", "AWS FIS", "called `fault` here: `fault: network.latency`"),
    word(ITEM, "toxic", "Toxiproxy", "called `fault` here"),
    word(ITEM, "type", "Toxiproxy, Chaos Toolkit", "called `fault` here: `fault: network.latency`"),
    word(ITEM, "name", "Toxiproxy, Chaos Toolkit", "called `id` here"),
    word(ITEM, "mode", "Chaos Mesh", "called `pick` here: `one`, `all`, `2` or `50%`"),
    word(ITEM, "selectionMode", "AWS FIS", "called `pick` here: `one`, `all`, `2` or `50%`"),
    word(ITEM, "percentage", "Litmus", "called `pick` for targets, `share` under `with` for requests"),
    word(
        ITEM,
        "selector",
        "Chaos Mesh",
        "a selector stands at the target: `targets: { x: { kubernetes: { selector: app=x } } }`",
    ),
    word(ITEM, "parameters", "AWS FIS", "called `with` here"),
    word(ITEM, "attributes", "Toxiproxy", "called `with` here"),
    word(ITEM, "arguments", "Chaos Toolkit", "called `with` here"),
    word(ITEM, "params", "", "called `with` here"),
    word(ITEM, "stream", "Toxiproxy", "called `direction` here: `to` (upstream), `from` (downstream) or `both`"),
    word(ITEM, "toxicity", "Toxiproxy", "called `share` under `with`: `share: 50%`"),
    word(ITEM, "probability", "", "called `share` under `with`: `share: 50%`"),
    word(ITEM, "interval", "Pumba, Litmus", "called `every` in `repeat`: `repeat: { times: 3, every: 30s }`"),
    word(ITEM, "sleep", "", "called `pause` here: `- pause: 10s`"),
    word(ITEM, "wait", "AWS FIS", "called `pause` here: `- pause: 10s`"),
    word(ITEM, "pauses", "Chaos Toolkit", "called `pause` here, an item of its own: `- pause: 10s`"),
    // Parameters of faults.
    word(WITH, "delay", "tc-netem", "called `latency` here: `latency: 200ms`"),
    word(WITH, "time", "Pumba", "called `latency` here, with a unit: `latency: 200ms`"),
    word(WITH, "latency_ms", "", "called `latency` here, with a unit: `latency: 200ms`"),
    word(WITH, "delayMilliseconds", "AWS FIS", "called `latency` here, with a unit: `latency: 200ms`"),
    word(WITH, "jitter_ms", "", "called `jitter` here, with a unit: `jitter: 20ms`"),
    word(WITH, "jitterMilliseconds", "AWS FIS", "called `jitter` here, with a unit: `jitter: 20ms`"),
    word(WITH, "percent", "Pumba, AWS FIS", "called `share` here: `share: 50%`"),
    word(WITH, "toxicity", "Toxiproxy", "called `share` here: `share: 50%`"),
    word(WITH, "probability", "", "called `share` here: `share: 50%`"),
    word(WITH, "duration", "Chaos Mesh, AWS FIS", "`for` stands at the fault, beside `with`"),
    // Who is hit, who is started, what stands between.
    word(TARGET, "selector", "Chaos Mesh", "write `kubernetes: { selector: app=payment }`"),
    word(TARGET, "labelSelectors", "Chaos Mesh", "write `kubernetes: { selector: app=payment }`"),
    word(TARGET, "container", "Pumba", "write `docker: { name: payment }`"),
    word(TARGET, "containers", "Pumba", "write `docker: { name: payment }`"),
    word(TARGET, "pod", "Litmus", "write `kubernetes: { selector: app=payment }`"),
    word(TARGET, "host", "", "write `url: \"http://host:port\"`"),
    word(TARGET, "address", "", "write `url: \"http://host:port\"`"),
    word(TARGET, "proxy", "Toxiproxy", "called `link` here: a name under `links`"),
    word(
        KUBERNETES,
        "labelSelectors",
        "Chaos Mesh",
        "called `selector` here, one text: `selector: app=payment,tier=web`",
    ),
    word(KUBERNETES, "matchLabels", "Kubernetes", "called `selector` here, one text: `selector: app=payment,tier=web`"),
    word(KUBERNETES, "labels", "", "called `selector` here, one text: `selector: app=payment,tier=web`"),
    word(KUBERNETES, "applabel", "Litmus", "called `selector` here: `selector: app=payment`"),
    word(KUBERNETES, "expressionSelectors", "Chaos Mesh", "called `selector` here: `selector: tier in (web, api)`"),
    word(
        KUBERNETES,
        "fieldSelectors",
        "Chaos Mesh",
        "called `fields` here, one text: `fields: spec.nodeName=worker-2`",
    ),
    word(
        KUBERNETES,
        "namespaces",
        "Chaos Mesh",
        "called `namespace` here, and is one: give each namespace a target of its own",
    ),
    word(KUBERNETES, "appns", "Litmus", "called `namespace` here"),
    word(KUBERNETES, "nodes", "Chaos Mesh", "called `node` here, and is one; `zone` means all nodes of a zone"),
    word(KUBERNETES, "containerNames", "Chaos Mesh", "called `container` here, and is one"),
    word(KUBERNETES, "kind", "Kubernetes", "kind and name stand in one text: `owner: deployment/payment`"),
    word(
        KUBERNETES,
        "name",
        "",
        "write what made it, `owner: deployment/payment`, or one pod by `fields: metadata.name=payment-0`",
    ),
    word(
        KUBERNETES,
        "pod",
        "",
        "one pod is meant by `fields: metadata.name=payment-0`, several by `selector` or `owner`",
    ),
    word(
        KUBERNETES,
        "pods",
        "Chaos Mesh",
        "one pod is meant by `fields: metadata.name=payment-0`, several by `selector` or `owner`",
    ),
    word(KUBERNETES, "deployment", "", "called `owner` here: `owner: deployment/payment`"),
    word(KUBERNETES, "service", "", "the pods of a Service have its labels: `selector: app=payment`"),
    word(KUBERNETES, "mode", "Chaos Mesh", "called `pick` here, at the fault: `one`, `all`, `2` or `50%`"),
    word(KUBERNETES, "value", "Chaos Mesh", "called `pick` here, at the fault: `one`, `all`, `2` or `50%`"),
    word(LINK, "listen_address", "", "called `listen` here: `listen: \"127.0.0.1:15432\"`"),
    word(LINK, "port", "", "called `listen` here: `listen: \"127.0.0.1:15432\"`"),
    word(LINK, "upstream", "Toxiproxy", "called `to` here: a service, `host:port`, or a URL"),
    word(LINK, "target", "", "called `to` here: a service, `host:port`, or a URL"),
    word(SERVICE, "command", "Docker Compose", "called `run` here: `run: [program, argument]`"),
    word(SERVICE, "environment", "Docker Compose", "called `env` here"),
    word(
        SERVICE,
        "ports",
        "Docker Compose",
        "called `port` here; without it each instance gets a free one, as `${port}`",
    ),
    word(SERVICE, "replicas", "Kubernetes", "called `instances` here"),
    word(SERVICE, "scale", "Docker Compose", "called `instances` here"),
    word(SERVICE, "working_dir", "Docker Compose", "called `cwd` here"),
    word(SERVICE, "healthcheck", "Docker Compose", "called `ready` here: `ready: { http: /health, within: 10s }`"),
    word(SERVICE, "readinessProbe", "Kubernetes", "called `ready` here: `ready: { http: /health, within: 10s }`"),
    word(
        SERVICE,
        "depends_on",
        "Docker Compose",
        "there is no dependency graph: addresses in `${services.x.url}` give the order",
    ),
    // What is judged.
    word(GATE, "threshold", "k6", "called `max` or `min` here: `max: 200ms`"),
    word(GATE, "lt", "Gatling", "called `max` here: `max: 200ms`"),
    word(GATE, "gt", "Gatling", "called `min` here: `min: 99%`"),
    word(GATE, "above", "", "a gate has `max` or `min`; `above` and `below` are of `abort_if`"),
    word(GATE, "below", "", "a gate has `max` or `min`; `above` and `below` are of `abort_if`"),
    word(GATE, "name", "", "called `id` here"),
    word(GUARDRAIL, "max", "", "called `above` here: it stops the run when the value is above"),
    word(GUARDRAIL, "min", "", "called `below` here: it stops the run when the value is below"),
    word(GUARDRAIL, "window", "", "a guardrail looks at a sliding span: `over: 5s`"),
    word(GUARDRAIL, "alarm", "AWS FIS", "write what is measured: `metric: error_rate, above: 60%`"),
    // Kinds of faults.
    word(FAULT, "latency", "Toxiproxy, Gremlin", "did you mean `network.latency`?"),
    word(FAULT, "delay", "tc-netem, Pumba, Chaos Mesh", "did you mean `network.latency`?"),
    word(FAULT, "network-delay", "Chaos Mesh", "did you mean `network.latency`?"),
    word(FAULT, "network.delay", "", "did you mean `network.latency`?"),
    word(FAULT, "slow", "", "did you mean `network.latency`?"),
    word(FAULT, "pod-network-latency", "Litmus", "did you mean `network.latency`?"),
    word(FAULT, "aws:network:latency", "AWS FIS", "did you mean `network.latency`?"),
    word(
        FAULT,
        "NetworkChaos",
        "Chaos Mesh",
        "did you mean `network.latency`, `network.partition` or another of `network.*`?",
    ),
    word(FAULT, "loss", "tc-netem, Pumba, Chaos Mesh", "did you mean `network.loss`?"),
    word(FAULT, "packet-loss", "Gremlin", "did you mean `network.loss`?"),
    word(FAULT, "pod-network-loss", "Litmus", "did you mean `network.loss`?"),
    word(FAULT, "partition", "Chaos Mesh", "did you mean `network.partition`?"),
    word(FAULT, "blackhole", "Gremlin", "did you mean `network.blackhole`?"),
    word(FAULT, "bandwidth", "Toxiproxy, Chaos Mesh", "did you mean `network.bandwidth`?"),
    word(FAULT, "rate", "tc-netem, Pumba", "did you mean `network.bandwidth`?"),
    word(FAULT, "reset_peer", "Toxiproxy", "did you mean `tcp.reset`?"),
    word(FAULT, "reset", "", "did you mean `tcp.reset`?"),
    word(FAULT, "timeout", "Toxiproxy", "did you mean `tcp.timeout`?"),
    word(FAULT, "slow_close", "Toxiproxy", "did you mean `tcp.slow_close`?"),
    word(FAULT, "slicer", "Toxiproxy", "did you mean `tcp.slicer`?"),
    word(FAULT, "limit_data", "Toxiproxy", "did you mean `tcp.limit`?"),
    word(FAULT, "abort", "Chaos Mesh, Istio", "did you mean `http.abort` or `http.error`?"),
    word(
        FAULT,
        "HTTPChaos",
        "Chaos Mesh",
        "did you mean `http.abort`, `http.error`, `http.latency` or another of `http.*`?",
    ),
    word(FAULT, "error", "", "did you mean `http.error`?"),
    word(FAULT, "http.status", "", "did you mean `http.error`?"),
    word(FAULT, "kill", "Pumba", "did you mean `process.kill` or `pod.kill`?"),
    word(FAULT, "pod-kill", "Chaos Mesh", "did you mean `pod.kill`, or `process.kill` on this host?"),
    word(FAULT, "pod-delete", "Litmus", "did you mean `pod.kill`?"),
    word(FAULT, "container-kill", "Chaos Mesh, Litmus", "did you mean `container.kill`?"),
    word(FAULT, "terminate", "Gremlin", "did you mean `process.kill` or `pod.kill`?"),
    word(FAULT, "pause", "Pumba", "did you mean `process.pause`?"),
    word(FAULT, "freeze", "", "did you mean `process.pause`?"),
    word(FAULT, "stop", "Pumba", "did you mean `process.pause`, `process.restart` or `container.stop`?"),
    word(FAULT, "restart", "", "did you mean `process.restart`?"),
    word(FAULT, "cpu", "Gremlin", "did you mean `stress.cpu`?"),
    word(FAULT, "stress", "Pumba", "did you mean `stress.cpu` or another of `stress.*`?"),
    word(FAULT, "cpu-stress", "", "did you mean `stress.cpu`?"),
    word(FAULT, "StressChaos", "Chaos Mesh", "did you mean `stress.cpu` or another of `stress.*`?"),
    word(FAULT, "TimeChaos", "Chaos Mesh", "did you mean `clock.skew`?"),
    word(FAULT, "IOChaos", "Chaos Mesh", "did you mean `disk.latency` or `disk.error`?"),
    word(FAULT, "DNSChaos", "Chaos Mesh", "did you mean `network.dns`?"),
    // Metrics and models.
    word(METRIC, "latency", "", "which one? `latency.p50`, `latency.p95`, `latency.p99`, `latency.max` ..."),
    word(METRIC, "http_req_duration", "k6", P95),
    word(METRIC, "http.response_time", "Artillery", P95),
    word(METRIC, "responseTime", "Gatling, JMeter", P95),
    word(METRIC, "http_req_failed", "k6", "called `error_rate` here"),
    word(METRIC, "failedRequests", "Gatling", "called `error_rate` here"),
    word(METRIC, "errors", "", "did you mean `error_rate`?"),
    word(METRIC, "successfulRequests", "Gatling", "called `success_rate` here"),
    word(METRIC, "success", "Vegeta", "called `success_rate` here"),
    word(METRIC, "checks", "k6", "called `check_failures` here: `max: 0`"),
    word(METRIC, "dropped_iterations", "k6", "called `dropped` here"),
    word(METRIC, "http_reqs", "k6", "called `requests` or `rate.completed` here"),
    word(METRIC, "iteration_duration", "k6", "called `iteration.p95` here, or another percentile"),
    word(
        METRIC,
        "http_req_waiting",
        "k6",
        "called `service.p95` here: from the first byte written to the last one read",
    ),
    word(METRIC, "rps", "", "did you mean `rate.completed`?"),
    word(METRIC, "throughput", "JMeter", "did you mean `rate.completed`?"),
    word(METRIC, "mttr", "", "called `recovery_time` here, of a window `fault:<id>`"),
    word(MODEL, "constant-arrival-rate", "k6", "called `open` here, with `rate: 200/s`"),
    word(MODEL, "ramping-arrival-rate", "k6", "called `open` here, with `stages`"),
    word(MODEL, "constant-vus", "k6", "called `closed` here, with `users: 50`"),
    word(MODEL, "ramping-vus", "k6", "called `closed` here, with `stages`"),
    word(SIGNAL, "SIGTERM", "Docker Compose", "called `TERM` here"),
    word(SIGNAL, "SIGINT", "Docker Compose", "called `INT` here"),
    word(SIGNAL, "SIGQUIT", "Docker Compose", "called `QUIT` here"),
    word(SIGNAL, "SIGHUP", "Docker Compose", "called `HUP` here"),
    word(SIGNAL, "SIGKILL", "Docker Compose", "called `KILL` here"),
    word(MODEL, "shared-iterations", "k6", "called `closed` here, with `users: 50` and `for`"),
];
