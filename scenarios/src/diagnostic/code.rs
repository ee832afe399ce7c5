//! The codes of problems: one table for messages, `brunt explain` and documentation.

macro_rules! codes {
    ($($code:ident $label:literal: $explanation:literal,)*) => {
        /// The kind of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $explanation] $code,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// As people write it: `E031`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// What the label at the place says unless a problem says something better.
            pub(crate) fn label(self) -> &'static str {
                match self { $(Self::$code => $label,)* }
            }

            /// What it means and what to do, for `brunt explain`.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$code => $explanation,)* }
            }
        }
    };
}

codes! {
    E001 "cannot be read": "A file could not be opened or read. Paths are relative to the file that names them; the scenario itself is relative to where brunt runs.",
    E002 "not text": "A scenario is UTF-8 text without NUL bytes. Convert files in other encodings, for example with `iconv -t utf-8`.",
    E003 "beyond the limit": "A file has at most 1 MiB, nodes nest at most 64 deep, and after aliases, includes and variables there are at most 100,000 nodes and 16 MiB of text. The limits stop files that grow without end when they are read.",
    E004 "not valid YAML": "The text is not YAML 1.2. Values that begin with `{`, `[`, `*`, `&`, `%`, `@`, `>` or `|`, and values that hold `${...}` or `{{ ... }}` inside `{ }`, must be quoted. Indentation is by spaces.",
    E005 "given a second time": "A key may stand only once in a mapping: of two, one would be ignored. Merged keys (`<<`) may be overridden.",
    E006 "included here": "`!include ./file.yaml` reads a file in place of the value. Files may not include themselves, directly or in a circle.",
    E007 "not known here": "An alias (`*name`) needs an anchor (`&name`) before it in the same file, and `<<` merges only mappings.",
    E008 "cannot be set": "`--set path=value` overrides one value. The path is the keys from the top, joined by dots; a number picks an item of a list: `--set gates.0.max=300ms`.",
    E009 "expected a mapping": "A scenario file holds one YAML document, and that is a mapping with `version: 1` at the top.",
    E010 "wrong type": "The value has another shape than the key wants: a list instead of a mapping, a text instead of a number.",
    E011 "unknown key": "The language does not know this key here. An unknown key is an error, because a mistyped key that is ignored changes an experiment without a word. Keys that begin with `x-` are free, at the top only.",
    E012 "incomplete": "A required key is missing.",
    E013 "does not fit": "Of these keys exactly one must be given (or they exclude each other).",
    E014 "empty": "An empty list, mapping or text stands where something is needed.",
    E015 "not a name": "Names are letters, digits, `-` and `_`, at most 100 of them, because they become parts of file names and of `${...}`.",
    E020 "not a duration": "A duration is a number with a unit: `250us`, `40ms`, `3s`, `1m30s`, `2h`. A bare number never stands where a unit matters.",
    E021 "not a percentage": "A percentage is a number with `%`: `5%`, `0.1%`.",
    E022 "not a rate": "A rate is a number per `s`, `m` or `h`: `200/s`, `30/m`.",
    E023 "not a size or bandwidth": "A size is a number with `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`; a bandwidth is a number with `bit`, `kbit`, `mbit` or `gbit` as in tc.",
    E024 "not a factor": "A factor is a number with `x`: `3x`, `1.25x`.",
    E025 "not a count or share": "How many of a target: `one`, `all`, a whole number, or a percentage.",
    E026 "not a spread": "A random span is a duration, `1s..3s` (uniform), `exp(2s)` or `normal(2s, 500ms)`.",
    E027 "not such a number": "A whole number without quotes and without a unit is needed here.",
    E028 "out of range": "The value is outside of what the language allows.",
    E029 "not one of the words": "Only certain words are allowed here.",
    E031 "not defined under `targets`": "Everything that load goes to or that a fault hits is named once under `targets`.",
    E032 "not defined under `journeys`": "A `journey:` names an entry under `journeys`, or a load entry in its short form.",
    E033 "no such step": "A `step:` names the `id` of a step of the journey; the short form of a load entry has one step, called `main`.",
    E034 "no such window": "Windows are `warmup`, `baseline`, `fault:<id>`, `recovery:<id>` and `run`. Those of faults exist only for ids in the timeline, `baseline` only if the timeline has one.",
    E035 "no such metric": "Metrics are listed in the documentation of the language: `latency.p99`, `error_rate`, `recovery_time` and so on.",
    E036 "not defined under `slos`": "`all_of` names entries under `slos`.",
    E037 "not defined under `services`": "The name of a service that brunt starts is needed.",
    E038 "not defined under `links`": "The name of a link is needed.",
    E039 "not defined": "A name refers to something that the scenario does not define.",
    E040 "not known": "`${...}` knows `vars.x`, `matrix.x`, `env.NAME`, `secret.env.X`, `secret.file.path`, `brunt.exe`, `port`, `services.x.url`, `services.x.urls`, `links.x.url` and `links.x.urls`. `$${` is a literal `${`.",
    E041 "not set": "An environment variable is not set. Set it, or give a default: `${env.NAME:-default}`.",
    E042 "secret cannot be read": "A secret comes from an environment variable (`${secret.env.X}`) or a file (`${secret.file.path}`). Its value is never shown.",
    E043 "not closed": "A `${` needs its `}`. Write `$${` for a literal `${`.",
    E044 "refers to itself": "A variable must not refer to itself, directly or through others.",
    E045 "not a template": "The text between `{{` and `}}` is not a valid expression.",
    E046 "not defined at this step": "Templates know the names that earlier steps extracted, the journey's feeders, `iteration`, `user`, `uuid()`, `now()` and `rand_int(a, b)`.",
    E047 "not a JSONPath": "A JSONPath (RFC 9535) starts with `$`: `$.items[0].id`.",
    E048 "not a regular expression": "Regular expressions have the syntax of Rust's regex crate: no look-around, no back-references.",
    E049 "not an address": "An address is `http://host:port`, `https://host:port`, or for TCP `host:port`.",
    E050 "no such fault": "`brunt faults` prints the catalogue of faults.",
    E051 "cannot be hit by this fault": "Each fault acts on certain kinds of targets; `brunt faults` says on which.",
    E052 "no such parameter": "Each fault has its own parameters under `with:`; `brunt faults` prints them.",
    E053 "does not fit its kind": "Faults that last need `for:`; faults that are over at once (kill, restart, evict) must not have it.",
    E054 "does not fit": "`direction:` stands at the fault or under `with:`, once.",
    E055 "would lie on the disk": "What undoes an `exec` fault is written to the disk before the fault acts, so that it can be undone even after a crash; a secret would lie there in the open. Let the command read it itself, from the environment or from a file.",
    E060 "cannot stand here": "An item of the timeline is `baseline`, a fault, `recover`, `parallel`, `pause` or `load`; `baseline` and `recover` stand only at the top of the timeline.",
    E061 "ends too early": "A load with a fixed length must last at least as long as the timeline's worst case, or the end of the timeline would hit no traffic. `for: timeline` always fits.",
    E062 "recovery is never measured": "Recovery is measured up to the next `recover:` item, and judged by the steady state. Without one there is nothing to measure.",
    E063 "needs a timeline": "`for: timeline` lasts as long as the timeline; this scenario has none.",
    E064 "used before": "Ids must be unique: windows, reports and gates refer to them.",
    E065 "needs a target": "If exactly one target is a `url` or a `service`, load goes there; otherwise it must be named.",
    E066 "does not fit": "The keys contradict each other or the model of the load.",
    E067 "not a version we know": "`version: 1` is the only version of the language.",
    E068 "does not fit the metric": "The bound must have the unit of its metric, and the metric must fit its window.",
    E069 "not one address": "`.url` stands for exactly one address. Of a service with several instances use `.urls`.",
    E070 "cannot be used as rows": "A feeder's CSV file (RFC 4180) begins with a head line that names its columns; every line below has as many cells.",
    W001 "worth a look": "`brunt validate --strict` warns about scenarios that will run, but may not show what they seem to show.",
}
