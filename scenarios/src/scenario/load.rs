//! `load:` how many users come, when.

use std::time::Duration;

use crate::decode::fields::exactly_one;
use crate::decode::{Decode, OneOrMany, Pairs, Spanned, record, word, words};
use crate::diagnostic::{Code, Problems};
use crate::units::{Rate, Share};
use crate::yaml::Node;

use super::journeys::Step;

record! {
    /// One stream of users.
    Load, "a load entry", check = check;
    /// What they do: a name under `journeys`.
    optional journey: Spanned<String>,
    /// Several journeys with their shares.
    optional mix: Spanned<Pairs<Spanned<Share>>>,
    /// `open`: they come by the clock; `closed`: a fixed number who wait for their replies.
    optional model: Spanned<Model>,
    /// How arrivals of the open model are spaced; default `constant`.
    optional arrivals: Spanned<Arrivals>,
    /// The load curve, in order.
    optional stages: Spanned<Vec<Stage>>,
    /// Short form: iterations a second, all the time.
    optional rate: Spanned<Rate>,
    /// Short form: users of the closed model, all the time.
    optional users: Spanned<u64>,
    /// Short form: how long; default `timeline` where there is one.
    optional lasts as "for": Spanned<Length>,
    /// Open iterations above it are dropped and make the run invalid; default 10000.
    optional max_in_flight: Spanned<u64>,
    /// How long open requests may take after the last arrival; default 5s.
    optional drain: Duration,
    /// Open connections to one address at most; requests wait for a free one. Default: as many as iterations can be open.
    optional max_per_host: Spanned<u64>,
    /// How many requests one connection carries: `always` (default), `never`, or a number.
    optional reuse: Spanned<Reuse>,
    /// A connection that is older takes no further request.
    optional max_age: Spanned<Duration>,
    /// Short form: where the requests go.
    optional target: Spanned<String>,
    /// Short form: who the user is.
    optional auth: Spanned<String>,
    /// Short form: data rows.
    optional feed: Spanned<OneOrMany<Spanned<String>>>,
    /// Short form: the keys of one step, called `main`.
    flatten step: Step,
}

words! {
    /// How iterations start.
    Model:
    /// By the clock, whatever the system does.
    Open = "open",
    /// When a user has got the reply before.
    Closed = "closed",
}

words! {
    /// How arrivals are spaced.
    Arrivals:
    /// Evenly.
    Constant = "constant",
    /// A Poisson process.
    Poisson = "poisson",
}

/// How many requests one connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// As many as the server lets it.
    Always,
    /// One.
    Never,
    /// So many at most.
    Times(u64),
}

impl Decode for Reuse {
    const WHAT: &'static str = "`always`, `never` or a number of requests";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = node.scalar().and_then(|scalar| scalar.literal()).unwrap_or_default();
        if text.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
            return u64::decode(node, problems).map(Self::Times);
        }
        match word(node, &["always", "never"], problems)? {
            "never" => Some(Self::Never),
            _ => Some(Self::Always),
        }
    }

    fn schema(_: &mut crate::schema::Definitions) -> serde_json::Value {
        let number = serde_json::json!({ "type": "integer", "minimum": 0 });
        crate::schema::shapes::either(&["always", "never"], number, "write `always`, `never` or a number of requests")
    }
}

/// How long a load lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As long as the timeline.
    Timeline,
    /// So long.
    Fixed(Duration),
}

impl Decode for Length {
    const WHAT: &'static str = "a duration such as `30s`, or `timeline`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.scalar().and_then(|scalar| scalar.literal()) == Some("timeline") {
            return Some(Self::Timeline);
        }
        Duration::decode(node, problems).map(Self::Fixed)
    }

    fn schema(_: &mut crate::schema::Definitions) -> serde_json::Value {
        // One pattern and not two schemas: an editor then says what is missing, and not that `timeline` is the only word.
        let pattern = format!("^timeline$|{}", crate::decode::scalars::DURATION);
        crate::schema::shapes::unit(&pattern, "a duration has a unit: 30s, 5m; or write timeline")
    }
}

/// A height of the load curve: a rate in the open model, users in the closed one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// Iterations a second.
    Rate(f64),
    /// Users.
    Users(u64),
}

impl Decode for Level {
    const WHAT: &'static str = "a rate such as `200/s`, or a number of users (closed model)";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = node.scalar().filter(|scalar| scalar.plain).and_then(|scalar| scalar.literal());
        if text.is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())) {
            return u64::decode(node, problems).map(Self::Users);
        }
        Rate::decode(node, problems).map(|rate| Self::Rate(rate.0))
    }

    fn schema(definitions: &mut crate::schema::Definitions) -> serde_json::Value {
        serde_json::json!({ "anyOf": [Rate::schema(definitions), u64::schema(definitions)] })
    }
}

record! {
    /// A piece of the load curve.
    Stage, "a stage", check = check_stage;
    /// Goes there in a straight line.
    optional ramp_to: Spanned<Level>,
    /// How long `ramp_to` takes.
    optional over: Spanned<Duration>,
    /// Stays there.
    optional hold: Spanned<Level>,
    /// How long `hold` lasts.
    optional lasts as "for": Spanned<Length>,
    /// A staircase.
    optional step: StepStage,
    /// Jumps there and back: a `ramp_to` that follows begins at the height before it.
    optional spike: Spike,
    /// Left out of every window but `warmup`.
    optional warmup: bool,
}

fn check_stage(stage: &Stage, problems: &mut Problems) {
    let given = [
        ("ramp_to", stage.ramp_to.is_some()),
        ("hold", stage.hold.is_some()),
        ("step", stage.step.is_some()),
        ("spike", stage.spike.is_some()),
    ];
    exactly_one(stage.span, "a stage", &given, problems);
    let mut pair = |with: &str, given: bool, key: &str, there: bool, example: &str| {
        if given != there {
            let message = if given { format!("`{with}` needs `{key}`") } else { format!("`{key}` goes with `{with}`") };
            problems.error(Code::E012, stage.span, message, format!("write `{example}`"));
        }
    };
    pair("ramp_to", stage.ramp_to.is_some(), "over", stage.over.is_some(), "{ ramp_to: 200/s, over: 30s }");
    pair("hold", stage.hold.is_some(), "for", stage.lasts.is_some(), "{ hold: 200/s, for: 5m }");
    if let Some(over) = stage.over.as_ref().filter(|over| over.value.is_zero()) {
        problems.error(Code::E028, over.span, "a ramp needs some time", "use `hold` to begin at full height");
    }
}

record! {
    /// A staircase from one height to another.
    StepStage, "step", check = check_staircase;
    /// The first height.
    required from: Spanned<Level>,
    /// What each stair adds.
    required by: Spanned<Level>,
    /// How long a stair lasts.
    required every: Spanned<Duration>,
    /// The last height.
    required to: Spanned<Level>,
}

/// So many users and open iterations at most: each is memory and a connection.
const MAX_USERS: u64 = 1_000_000;

/// A staircase may have so many stairs.
pub(crate) const MAX_STAIRS: f64 = 1000.0;

fn check_staircase(step: &StepStage, problems: &mut Problems) {
    let heights = (step.from.value.number(), step.by.value.number(), step.to.value.number());
    let (from, by, to) = heights;
    if by <= 0.0 || to < from {
        problems.error(
            Code::E028,
            step.by.span,
            "the staircase never gets there",
            "`by` must be above 0 and `to` at least `from`",
        );
    } else if (to - from) / by >= MAX_STAIRS {
        problems.error(
            Code::E028,
            step.by.span,
            format!("more than {MAX_STAIRS} stairs"),
            "use `ramp_to`, or higher stairs",
        );
    }
    if step.every.value.is_zero() {
        problems.error(Code::E028, step.every.span, "a stair needs some time", "write `every: 30s`");
    }
}

impl StepStage {
    /// The heights of the stairs, bounded by [`MAX_STAIRS`].
    pub(crate) fn heights(&self) -> Vec<f64> {
        let (from, by, to) = (self.from.value.number(), self.by.value.number(), self.to.value.number());
        if by <= 0.0 {
            return vec![from];
        }
        // A hair more than the division yields, so that 0.1 steps reach their end.
        let stairs = (((to - from) / by + 1e-9).floor()).clamp(0.0, MAX_STAIRS) as u32;
        let mut heights: Vec<f64> = (0..=stairs).map(|stair| from + by * f64::from(stair)).collect();
        if heights.last().is_some_and(|last| *last < to - 1e-9) {
            heights.push(to);
        }
        heights
    }

    /// How long all stairs last together.
    pub(crate) fn length(&self) -> Duration {
        self.every.value.saturating_mul(u32::try_from(self.heights().len()).unwrap_or(u32::MAX))
    }
}

impl Load {
    /// The highest level that any load may have, and its unit.
    pub(crate) fn most(&self) -> (f64, &'static str) {
        let closed = self.users.is_some() || self.model.as_ref().is_some_and(|model| model.value == Model::Closed);
        if closed { (MAX_USERS as f64, " users") } else { (crate::decode::scalars::MAX_RATE, "/s") }
    }
}

impl Level {
    /// Its number, whatever it counts.
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::Rate(rate) => rate,
            Self::Users(users) => users as f64,
        }
    }
}

record! {
    /// Jumps up and back: a ramp that follows begins at the height before it.
    Spike, "spike";
    /// The height.
    required to: Spanned<Level>,
    /// How long.
    required lasts as "for": Duration,
}

fn check(load: &Load, problems: &mut Problems) {
    let given = [("journey", load.journey.is_some()), ("mix", load.mix.is_some()), ("get", load.step.is_some())];
    exactly_one(load.span, "a load entry", &given, problems);
    let curve = [("stages", load.stages.is_some()), ("rate", load.rate.is_some()), ("users", load.users.is_some())];
    exactly_one(load.span, "a load entry", &curve, problems);
    if let (Some(_), Some(lasts)) = (&load.stages, &load.lasts) {
        let help = "each stage says its own length; remove `for`";
        problems.error(Code::E013, lasts.span, "`stages` and `for` exclude each other", help);
    }
    if load.step.is_none() {
        for (key, span) in [
            ("target", load.target.as_ref().map(|target| target.span)),
            ("auth", load.auth.as_ref().map(|auth| auth.span)),
            ("feed", load.feed.as_ref().map(|feed| feed.span)),
        ] {
            if let Some(span) = span {
                problems.error(
                    Code::E066,
                    span,
                    format!("`{key}` belongs to the journey"),
                    format!("write `{key}` under `journeys`"),
                );
            }
        }
    }
    check_model(load, problems);
    check_connections(load, problems);
}

fn check_connections(load: &Load, problems: &mut Problems) {
    if let Some(most) = load.max_per_host.as_ref().filter(|most| most.value == 0) {
        problems.error(Code::E028, most.span, "no request could ever be sent", "at least 1");
    }
    if let Some(reuse) = load.reuse.as_ref().filter(|reuse| reuse.value == Reuse::Times(0)) {
        let help = "write `reuse: never` for a new connection each time";
        problems.error(Code::E028, reuse.span, "a connection carries at least one request", help);
    }
    let Some(max_age) = &load.max_age else { return };
    if max_age.value.is_zero() {
        let help = "write `reuse: never` for a new connection each time";
        problems.error(Code::E028, max_age.span, "no connection could ever be used again", help);
    } else if load.reuse.as_ref().is_some_and(|reuse| reuse.value == Reuse::Never) {
        let message = "`max_age` of connections that are never used again";
        problems.error(Code::E066, max_age.span, message, "remove `max_age`, or `reuse: never`");
    }
}

fn check_model(load: &Load, problems: &mut Problems) {
    let model = load.model.as_ref().map(|model| model.value);
    if let (Some(Model::Closed), Some(rate)) = (model, &load.rate) {
        problems.error(Code::E066, rate.span, "`rate` needs the open model", "write `users: 50`, or `model: open`");
    }
    if let (Some(Model::Open), Some(users)) = (model, &load.users) {
        problems.error(
            Code::E066,
            users.span,
            "`users` needs the closed model",
            "write `rate: 200/s`, or `model: closed`",
        );
    }
    let closed = model == Some(Model::Closed) || load.users.is_some();
    if let (true, Some(arrivals)) = (closed, &load.arrivals) {
        let help = "users of the closed model come back when they have got their reply; remove `arrivals`";
        problems.error(Code::E066, arrivals.span, "`arrivals` needs the open model", help);
    }
    if let (true, Some(limit)) = (closed, &load.max_in_flight) {
        let help = "the number of users is the limit of the closed model; remove `max_in_flight`";
        problems.error(Code::E066, limit.span, "`max_in_flight` needs the open model", help);
    }
    if let Some(limit) = load.max_in_flight.as_ref().filter(|limit| limit.value == 0) {
        problems.error(Code::E028, limit.span, "no iteration could ever start", "at least 1");
    }
    if let Some(users) = load.users.as_ref().filter(|users| users.value == 0) {
        problems.error(Code::E028, users.span, "no user would ever come", "at least 1");
    }
    let counts = [("users", &load.users), ("open iterations", &load.max_in_flight)];
    for (what, count) in counts {
        if let Some(count) = count.as_ref().filter(|count| count.value > MAX_USERS) {
            problems.error(Code::E028, count.span, format!("too many {what}"), format!("at most {MAX_USERS}"));
        }
    }
    if let Some(rate) = load.rate.as_ref().filter(|rate| rate.value.0 <= 0.0) {
        problems.error(Code::E028, rate.span, "no iteration would ever start", "a rate above 0");
    }
    for stage in load.stages.iter().flat_map(|stages| &stages.value) {
        for level in stage.levels() {
            match (closed, level.value) {
                (false, Level::Users(_)) => {
                    let help = format!("{}/s? (a plain number is for `model: closed`)", level.value.number());
                    problems.error(Code::E022, level.span, "the open model needs a rate", help);
                }
                (true, Level::Rate(_)) => {
                    problems.error(
                        Code::E066,
                        level.span,
                        "the closed model needs a number of users",
                        "write it without `/s`",
                    );
                }
                (true, Level::Users(users)) if users > MAX_USERS => {
                    problems.error(Code::E028, level.span, "too many users", format!("at most {MAX_USERS}"));
                }
                _ => {}
            }
        }
    }
}

impl Stage {
    /// Every height that it names.
    fn levels(&self) -> impl Iterator<Item = &Spanned<Level>> {
        let step = self.step.iter().flat_map(|step| [&step.from, &step.by, &step.to]);
        let spike = self.spike.iter().map(|spike| &spike.to);
        self.ramp_to.iter().chain(&self.hold).chain(step).chain(spike)
    }
}
