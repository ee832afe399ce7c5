//! Page 1: the run at a glance.

use brunt_report::gates::so_far::GateSoFar;
use brunt_report::recorder::live::LiveSpan;
use brunt_report::render::format;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::frame::{clock, put, put_right, rule, width};
use super::latency_plot::slices_of;
use super::look::{Look, Tone};
use super::state::State;
use super::{faults, latency_plot, log, spark};
use crate::ui::snapshot::{Fault, FaultStep, Snapshot};

/// Columns of the figures beside the plot.
const FIGURES: u16 = 42;

type Pieces = Vec<(String, Tone)>;
type Percentile = fn(&LiveSpan) -> Option<f64>;

/// Draws the page, from the top and from the bottom; the plot takes what is left.
pub fn draw(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let tall = area.height >= 22;
    let mut top = 0;
    let shown = faults_now(snapshot);
    for fault in shown.iter().take(if tall { 3 } else { 1 }) {
        put(buffer, area, 1, top, &fault_line(fault, snapshot.at_s, look), look);
        top += 1;
    }
    if shown.is_empty() {
        let next = snapshot.faults.iter().find(|fault| fault.step == FaultStep::Planned);
        let text = next
            .map_or("no fault in place".to_owned(), |next| format!("no fault in place; next: {}", faults::name(next)));
        put(buffer, area, 1, top, &[("FAULT   ".to_owned(), Tone::Dim), (text, Tone::Dim)], look);
        top += 1;
    }
    top = put_wrapped(buffer, area, top, "STEADY  ", objectives(snapshot, look), look, if tall { 2 } else { 1 });
    let events = if tall { 3 } else { 1 };
    let gates = gate_pieces(&snapshot.gates, look);
    let gate_lines = lines_needed(&gates, area.width).min(if tall { 3 } else { 1 });
    let bottom = area.height - events - gate_lines;
    put_wrapped(buffer, area, bottom, "GATES   ", gates, look, gate_lines);
    draw_events(snapshot, look, Rect { y: area.y + area.height - events, height: events, ..area }, buffer);
    draw_middle(snapshot, state, look, Rect { y: area.y + top, height: bottom - top, ..area }, buffer);
}

/// Plot, sparks and figures.
fn draw_middle(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let beside = area.width >= 96;
    let left = if beside { Rect { width: area.width - FIGURES - 1, ..area } } else { area };
    let sparks: u16 = 2;
    let line = |text: &str, tone| (text.to_owned(), tone);
    let axis = if state.log_axis { ", log axis" } else { ", linear axis" };
    let mut title = vec![line("latency", Tone::Strong), line(axis, Tone::Dim)];
    title.extend([line("  p50", Tone::Low), line("  p90", Tone::Mid), line("  p99", Tone::High)]);
    if snapshot.objectives.iter().any(|objective| objective.latency_limit_ms.is_some()) {
        title.push((format!("  {} objective", look.pick("╌", "-")), Tone::Warn));
    }
    if state.ghost {
        title.push((format!("  {} baseline", look.pick("·", ".")), Tone::Dim));
    }
    rule(buffer, left, 0, &title, look);
    let figures: u16 = if beside { 0 } else { 3 };
    let plot = Rect { y: left.y + 1, height: left.height.saturating_sub(1 + sparks + figures), ..left };
    latency_plot::draw(snapshot, state, look, plot, buffer);
    let below = Rect { y: plot.y + plot.height, height: sparks, ..left };
    draw_sparks(snapshot, state, look, below, buffer);
    if beside {
        let right = Rect { x: area.x + area.width - FIGURES, width: FIGURES, ..area };
        draw_figures(snapshot, look, right, buffer);
    } else {
        draw_few_figures(snapshot, look, Rect { y: below.y + sparks, height: figures, ..left }, buffer);
    }
}

fn draw_sparks(snapshot: &Snapshot, state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    const LABEL: u16 = 9;
    const VALUE: u16 = 10;
    let columns = area.width.saturating_sub(LABEL + VALUE);
    let stretches = slices_of(snapshot, state, usize::from(columns));
    let width_s = snapshot.slice_s.max(1e-3);
    let largest = |of: fn(&crate::ui::snapshot::Point) -> u32| -> Vec<Option<f64>> {
        let rate = |point| f64::from(of(point)) / width_s;
        stretches
            .iter()
            .map(|stretch| snapshot.points.get(stretch.clone())?.iter().map(rate).reduce(f64::max))
            .collect()
    };
    let completed = largest(|point| point.completed);
    let errors = largest(|point| point.errors);
    let top = completed.iter().chain(&errors).flatten().copied().fold(0.0, f64::max);
    let rows = [
        ("rate", completed, Tone::Good, format::per_second(snapshot.recent.completed_per_s())),
        (
            "errors",
            errors,
            Tone::Bad,
            format::per_second(snapshot.recent.errors as f64 / snapshot.recent.length_s.max(1.0)),
        ),
    ];
    for (y, (name, values, tone, now)) in (0..).zip(rows) {
        put(buffer, area, 0, y, &[(format!("{name:>7} "), Tone::Dim)], look);
        let strip = Rect { x: area.x + LABEL, y: area.y + y, width: columns, height: 1 };
        let any = values.iter().flatten().any(|value| *value > 0.0);
        spark::draw(&values, top, if any { tone } else { Tone::Dim }, look, strip, buffer);
        put_right(buffer, area, y, &[(now, Tone::Plain)], look);
    }
}

/// Now beside the baseline, and the generator.
fn draw_figures(snapshot: &Snapshot, look: Look, area: Rect, buffer: &mut Buffer) {
    rule(buffer, area, 0, &[("last 5 s".to_owned(), Tone::Strong)], look);
    let line = |name: &str, base: String, now: String, change: Option<f64>| -> Pieces {
        vec![
            (format!(" {name:<10}"), Tone::Dim),
            (format!("{base:>10}"), Tone::Dim),
            (format!("{now:>11}"), Tone::Plain),
            (format!("{:>8}", times(change)), tone_of_change(change)),
        ]
    };
    let (now, base) = (&snapshot.recent, snapshot.base.as_ref());
    let of_base = |of: fn(&LiveSpan) -> Option<f64>| base.and_then(of);
    let ms = |value: Option<f64>| format::maybe(value, "ms");
    let rate = |value: Option<f64>| format::maybe(value, "per_s");
    let share = |value: Option<f64>| format::maybe(value, "fraction");
    let mut lines: Vec<Pieces> = vec![
        vec![(format!(" {:<10}{:>10}{:>11}{:>8}", "", "baseline", "now", "change"), Tone::Dim)],
        line("offered", rate(of_base(|base| Some(base.offered_per_s()))), rate(Some(now.offered_per_s())), None),
        line("completed", rate(of_base(|base| Some(base.completed_per_s()))), rate(Some(now.completed_per_s())), None),
        line("errors", share(of_base(LiveSpan::error_rate)), share(now.error_rate()), None),
    ];
    let percentiles: [(&str, Percentile); 4] = [
        ("p50", |span| span.p50_ms),
        ("p90", |span| span.p90_ms),
        ("p99", |span| span.p99_ms),
        ("max", |span| span.max_ms),
    ];
    for (name, of) in percentiles {
        let change = of(now).zip(of_base(of)).filter(|(_, base)| *base > 0.0).map(|(now, base)| now / base);
        lines.push(line(name, ms(of_base(of)), ms(of(now)), change));
    }
    lines.push(Vec::new());
    let (good, bad) = generator(snapshot, look);
    lines.push(vec![
        (" since warm-up  ".to_owned(), Tone::Dim),
        (format::counted(snapshot.total.completed, "request"), Tone::Plain),
    ]);
    lines.push(vec![(" open           ".to_owned(), Tone::Dim), (format::count(snapshot.health.open), Tone::Plain)]);
    lines.push([vec![(" generator      ".to_owned(), Tone::Dim)], good].concat());
    lines.push([vec![("                ".to_owned(), Tone::Dim)], bad].concat());
    for (y, pieces) in (1..area.height).zip(&lines) {
        put(buffer, area, 0, y, pieces, look);
    }
}

/// The same in a narrow terminal: three lines.
fn draw_few_figures(snapshot: &Snapshot, look: Look, area: Rect, buffer: &mut Buffer) {
    let ms = |value: Option<f64>| format::maybe(value, "ms");
    let line = |name: &str, span: &LiveSpan| -> Pieces {
        vec![
            (format!(" {name:<9}"), Tone::Dim),
            (format!("p50 {:<9}p99 {:<9}", ms(span.p50_ms), ms(span.p99_ms)), Tone::Plain),
            (
                format!(
                    "{:<9} errors {}",
                    format::per_second(span.completed_per_s()),
                    format::maybe(span.error_rate(), "fraction")
                ),
                Tone::Plain,
            ),
        ]
    };
    put(buffer, area, 0, 0, &line("now", &snapshot.recent), look);
    if let Some(base) = &snapshot.base {
        put(buffer, area, 0, 1, &line("baseline", base), look);
    }
    let (good, bad) = generator(snapshot, look);
    put(
        buffer,
        area,
        0,
        2,
        &[vec![(" generator ".to_owned(), Tone::Dim)], good, vec![("  ".to_owned(), Tone::Plain)], bad].concat(),
        look,
    );
}

/// Whether brunt itself can be trusted: two pieces of a line.
fn generator(snapshot: &Snapshot, look: Look) -> (Pieces, Pieces) {
    let health = &snapshot.health;
    let (mark, tone) = look.mark(Some(health.ok));
    let word = if health.ok { "ok" } else { "not well" };
    let first = vec![(format!("{mark} {word}"), tone), (format!("  cpu {:.0} %", health.cpu * 100.0), Tone::Plain)];
    let lag = format!("late p99 {}", format::maybe(health.lag_p99_ms, "ms"));
    let dropped =
        if health.dropped > 0 { format!(", {} dropped", format::count(health.dropped)) } else { String::new() };
    (first, vec![(lag, Tone::Plain), (dropped, Tone::Bad)])
}

/// What is in place or being changed; during a rollback also what has come off.
fn faults_now(snapshot: &Snapshot) -> Vec<&Fault> {
    let rolling_back = matches!(snapshot.state, crate::ui::snapshot::State::RollingBack(_));
    let wanted = |fault: &&Fault| match fault.step {
        FaultStep::Injecting | FaultStep::Active | FaultStep::Removing | FaultStep::Failed => true,
        FaultStep::Removed => rolling_back,
        FaultStep::Planned => false,
    };
    // The newest first: what has just come off is what one wants to see.
    snapshot.faults.iter().rev().filter(wanted).collect()
}

fn fault_line(fault: &Fault, at_s: f64, look: Look) -> Pieces {
    let (word, tone) = faults::standing(fault);
    let (seen, seen_tone) = faults::seen(fault);
    let mark = match fault.step {
        FaultStep::Removed => format!("{} ", look.pick("✔", "+")),
        FaultStep::Failed => format!("{} ", look.pick("✗", "x")),
        _ => String::new(),
    };
    vec![
        ("FAULT   ".to_owned(), Tone::Dim),
        (faults::name(fault), Tone::Strong),
        (format!("  {mark}{word}"), tone),
        (format!(" {}", faults::time(fault, at_s)), Tone::Plain),
        (if seen.is_empty() { String::new() } else { format!("  {seen}") }, seen_tone),
        (format!("  {} on {}", fault.kind, faults::hit(fault)), Tone::Plain),
        (if fault.with.is_empty() { String::new() } else { format!("  {}", fault.with) }, Tone::Dim),
    ]
}

/// Each objective as one piece group: a mark, its name, and if it is broken how and for how long.
fn objectives(snapshot: &Snapshot, look: Look) -> Vec<Pieces> {
    let shown = |objective: &crate::ui::snapshot::Objective| {
        let (mark, tone) = look.mark(objective.holds);
        let mut text = format!(" {}", objective.text);
        if let (Some(false), Some(since)) = (objective.holds, objective.since_s) {
            text.push_str(&format!(" ({})", format::seconds((snapshot.at_s - since).max(0.0).round())));
        }
        let text_tone = if objective.holds == Some(false) { Tone::Bad } else { Tone::Dim };
        vec![(format!("{mark} "), tone), (objective.id.clone(), Tone::Plain), (text, text_tone)]
    };
    let mut all: Vec<&crate::ui::snapshot::Objective> = snapshot.objectives.iter().collect();
    // What is broken comes first, where there is room.
    all.sort_by_key(|objective| objective.holds != Some(false));
    if all.is_empty() {
        return vec![vec![("no objectives".to_owned(), Tone::Dim)]];
    }
    all.into_iter().map(shown).collect()
}

/// Each gate with its value so far. None of it is a verdict.
fn gate_pieces(gates: &[GateSoFar], look: Look) -> Vec<Pieces> {
    let shown = |gate: &GateSoFar| {
        let (mark, tone) = match (gate.began, gate.holds) {
            (false, _) | (true, None) => (look.pick("·", "."), Tone::Dim),
            (true, Some(true)) => (look.pick("✔", "+"), Tone::Good),
            (true, Some(false)) => (look.pick("▲", "!"), Tone::Bad),
        };
        let text = match (gate.actual, gate.limit) {
            (Some(actual), Some(limit)) if gate.began => {
                let (actual, limit) = format::pair(actual, limit, gate.unit);
                let sign = match (gate.is_max, gate.holds == Some(false)) {
                    (true, true) => ">",
                    (true, false) => "≤",
                    (false, true) => "<",
                    (false, false) => "≥",
                };
                format!(" {actual} {sign} {limit} so far")
            }
            _ => String::new(),
        };
        vec![(format!("{mark} "), tone), (gate.id.clone(), Tone::Plain), (text, Tone::Dim)]
    };
    gates.iter().map(shown).collect()
}

fn length(pieces: &Pieces) -> usize {
    pieces.iter().map(|(text, _)| width(text)).sum::<usize>() + 3
}

fn lines_needed(groups: &[Pieces], columns: u16) -> u16 {
    let room = usize::from(columns).saturating_sub(9);
    let mut lines = 1;
    let mut used = 0;
    for group in groups {
        if used > 0 && used + length(group) > room {
            lines += 1;
            used = 0;
        }
        used += length(group);
    }
    lines
}

/// Groups behind each other, on as many lines as there may be; says how many did not fit. Returns the line below.
fn put_wrapped(
    buffer: &mut Buffer,
    area: Rect,
    y: u16,
    title: &str,
    groups: Vec<Pieces>,
    look: Look,
    most: u16,
) -> u16 {
    put(buffer, area, 1, y, &[(title.to_owned(), Tone::Dim)], look);
    let (mut x, mut line) = (9u16, 0);
    let all = groups.len();
    for (index, group) in groups.into_iter().enumerate() {
        let needed = u16::try_from(length(&group)).unwrap_or(u16::MAX);
        if x > 9 && x.saturating_add(needed) > area.width {
            if line + 1 >= most {
                put_right(buffer, area, y + line, &[(format!("  +{} ", all - index), Tone::Dim)], look);
                return y + most;
            }
            (x, line) = (9, line + 1);
        }
        // The number of those that do not fit is not to stand on one that does.
        let room = if index + 1 < all && line + 1 == most { area.width - 5 } else { area.width };
        x = put(buffer, Rect { width: room, ..area }, x, y + line, &group, look) + 3;
    }
    y + line + 1
}

fn draw_events(snapshot: &Snapshot, look: Look, area: Rect, buffer: &mut Buffer) {
    put(buffer, area, 1, 0, &[("EVENTS  ".to_owned(), Tone::Dim)], look);
    for (y, event) in (0..area.height).zip(snapshot.events.iter().rev()) {
        let pieces = [
            (format!("{} ", clock(event.at_s)), Tone::Dim),
            (event.kind.clone(), log::tone(event)),
            (format!(" {}", event.subject), Tone::Plain),
            (format!("  {}", event.text), Tone::Dim),
        ];
        put(buffer, area, 9, y, &pieces, look);
    }
}

/// `4.1x`: how many times the baseline something is.
pub fn times(change: Option<f64>) -> String {
    match change {
        None => String::new(),
        Some(change) if change < 9.95 => format!("{change:.1}x"),
        Some(change) => format!("{change:.0}x"),
    }
}

/// A change that one should see: a half more, three times.
pub fn tone_of_change(change: Option<f64>) -> Tone {
    match change {
        Some(change) if change >= 3.0 => Tone::Bad,
        Some(change) if change >= 1.5 => Tone::Warn,
        _ => Tone::Dim,
    }
}
