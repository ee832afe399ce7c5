//! The lanes above the charts: load, each fault with whom it hit and how it recovered, each objective, each probe, findings.

mod clusters;

use std::collections::BTreeMap;

use crate::render::html::frame::{Frame, LINE, spans, style};
use crate::render::svg::label::{apart, fitted, width};
use crate::render::svg::{Anchor, Svg};
use crate::render::{format, objectives, words};
use crate::results::{FaultData, ProbeData, Results, RoundData, SloData};

/// More lanes than this get one line each instead of two.
const ROOMY: usize = 8;

/// Draws all lanes from `top` on; answers where they end.
pub fn draw(svg: &mut Svg, frame: &Frame, results: &Results, top: f64) -> f64 {
    let lanes = Lanes { frame, results, height: height(frame, results) };
    let mut y = lanes.load(svg, top);
    for (index, fault) in results.summary.faults.iter().enumerate() {
        lanes.fault(svg, y, index, fault);
        y += lanes.height;
    }
    if !results.operator.is_empty() {
        lanes.operator(svg, y);
        y += lanes.height;
    }
    for slo in &results.slos {
        lanes.slo(svg, y, slo);
        y += lanes.height;
    }
    for probe in &results.probes {
        lanes.probe(svg, y, probe);
        y += lanes.height;
    }
    y += clusters::draw(&lanes, svg, y);
    lanes.findings(svg, y)
}

fn height(frame: &Frame, results: &Results) -> f64 {
    let roomy = results.summary.faults.len()
        + results.slos.len()
        + results.probes.len()
        + clusters::most(results)
        + usize::from(!results.operator.is_empty())
        <= ROOMY;
    if roomy || frame.stacked() { 38.0 } else { 22.0 }
}

struct Lanes<'a> {
    frame: &'a Frame,
    results: &'a Results,
    height: f64,
}

impl Lanes<'_> {
    fn roomy(&self) -> bool {
        self.height > 30.0
    }

    /// Name and remark of a lane; answers the middle of its bar.
    fn name(&self, svg: &mut Svg, top: f64, name: &str, remark: &str) -> f64 {
        let (frame, font) = (self.frame, self.frame.size.font());
        if frame.stacked() {
            svg.text((0.0, top + 11.0), Anchor::Start, "t b", &fitted(name, font, frame.size.width() * 0.55));
            return top + 24.0;
        }
        let room = frame.left - 12.0;
        if self.roomy() {
            svg.text((0.0, top + 14.0), Anchor::Start, "t b", &fitted(name, font, room));
            svg.text((0.0, top + 14.0 + LINE), Anchor::Start, "t m", &fitted(remark, font, room));
        } else {
            svg.text((0.0, top + 15.0), Anchor::Start, "t b", &fitted(name, font, room));
        }
        top + self.height / 2.0
    }

    /// Says something about a bar: beside it where there is room, at the right of the name on a phone.
    fn say(&self, svg: &mut Svg, top: f64, bar: (f64, f64), lines: &[String]) {
        let (frame, font) = (self.frame, self.frame.size.font());
        let Some(last) = lines.last() else { return };
        if frame.stacked() {
            let text = fitted(last, font, frame.size.width() * 0.43);
            svg.text((frame.size.width(), top + 11.0), Anchor::End, "t halo", &text);
            return;
        }
        let lines = if self.roomy() { lines } else { std::slice::from_ref(last) };
        let widest = lines.iter().map(|line| width(line, font)).fold(0.0, f64::max);
        let (right, left) = (frame.size.width() - bar.1 - 8.0, bar.0 - frame.left - 8.0);
        let (x, anchor, room) = if right >= widest || right >= left {
            (bar.1 + 8.0, Anchor::Start, right)
        } else {
            (bar.0 - 8.0, Anchor::End, left)
        };
        // A bar over nearly the whole width has no side: the text stands on it.
        let (x, anchor, room) =
            if room < 70.0 { (bar.0 + 8.0, Anchor::Start, bar.1 - bar.0 - 16.0) } else { (x, anchor, room) };
        let first = top + self.height / 2.0 + 4.0 - LINE / 2.0 * (lines.len() - 1) as f64;
        for (index, line) in lines.iter().enumerate() {
            let class = if index + 1 == lines.len() { "t halo" } else { "t m halo" };
            svg.text((x, first + LINE * index as f64), anchor, class, &fitted(line, font, room));
        }
    }

    fn load(&self, svg: &mut Svg, top: f64) -> f64 {
        let (frame, summary) = (self.frame, &self.results.summary);
        let (height, middle) = if frame.stacked() { (42.0, top + 26.0) } else { (30.0, top + 11.0) };
        svg.text((0.0, if frame.stacked() { top + 11.0 } else { top + 15.0 }), Anchor::Start, "t b", "load");
        let end = frame.time.at(summary.duration_s);
        svg.rect((frame.left, middle - 9.0), (end - frame.left, 18.0), "load");
        for name in ["warmup", "baseline"] {
            for part in self.results.spans.iter().filter(|part| part.window == name) {
                let (from, to) = (frame.time.at(part.from_s), frame.time.at(part.to_s));
                svg.rect((from, middle - 9.0), (to - from, 18.0), name);
                let label = if name == "warmup" { "warm-up" } else { name };
                if to - from > width(label, frame.size.font()) + 4.0 {
                    svg.text(((from + to) / 2.0, middle + 4.0), Anchor::Middle, "t", label);
                }
            }
        }
        self.load_changes(svg, middle, end);
        top + height
    }

    /// Where a load was not what its stages say: a step in the bar up to the next change, with the factors in force.
    fn load_changes(&self, svg: &mut Svg, middle: f64, end: f64) {
        let (frame, changes) = (self.frame, &self.results.load_changes);
        let mut in_force: BTreeMap<&str, f64> = BTreeMap::new();
        for (index, change) in changes.iter().enumerate() {
            in_force.insert(&change.load, change.factor);
            let from = frame.time.at(change.at_s);
            let to = changes.get(index + 1).map_or(end, |next| frame.time.at(next.at_s));
            let changed: Vec<(&str, f64)> =
                in_force.iter().map(|(load, factor)| (*load, *factor)).filter(|(_, factor)| *factor != 1.0).collect();
            if changed.is_empty() || to <= from {
                continue;
            }
            let more = changed.iter().any(|(_, factor)| *factor > 1.0);
            let (y, tall) = if more { (middle - 11.0, 22.0) } else { (middle - 5.0, 14.0) };
            svg.rect((from, y), (to - from, tall), "load changed");
            let one = self.results.plan.load.len() < 2;
            let of = |(load, factor): &(&str, f64)| match one {
                true => format!("{}x", format::number(*factor)),
                false => format!("{load} {}x", format::number(*factor)),
            };
            let label = changed.iter().map(of).collect::<Vec<_>>().join(", ");
            if to - from > width(&label, frame.size.font()) + 4.0 {
                svg.text(((from + to) / 2.0, middle + 4.0), Anchor::Middle, "t halo", &label);
            }
        }
    }

    fn fault(&self, svg: &mut Svg, top: f64, index: usize, fault: &FaultData) {
        let frame = self.frame;
        let middle = self.name(svg, top, &fault.id, &fault.kind);
        let bars = frame.apart(spans(fault, frame.end_s));
        let Some(first) = bars.first().map(|(from, _)| *from) else {
            self.say(svg, top, (frame.left, frame.left), &[words::verification(fault)]);
            return;
        };
        let mut end = first;
        svg.group(&style(index));
        for (from, to) in bars {
            let width = (to - from).max(3.0);
            svg.rect((from, middle - 7.0), (width, 14.0), "bar");
            end = end.max(from + width);
        }
        svg.end();
        let rounds = fault.each_round();
        for round in &rounds {
            end = end.max(self.recovery(svg, middle, fault, round));
        }
        // Two lines fit: that its effect was not seen is more urgent than whom it hit, and the table has both.
        let whom = if fault.verified { words::instances(fault) } else { words::verification(fault) };
        self.say(svg, top, (first, end), &[whom, words::recovery(fault)]);
    }

    /// The interval from a round's removal to its recovery, or to where the wait for it ended; answers its end.
    fn recovery(&self, svg: &mut Svg, middle: f64, fault: &FaultData, round: &RoundData) -> f64 {
        let frame = self.frame;
        let removed_s = round.removed_at_s.unwrap_or(frame.end_s);
        let from = frame.time.at(removed_s);
        let (end_s, class) = match (round.recovered, round.recovery_time_s) {
            (Some(true), Some(seconds)) => {
                (words::recovery_from_s(fault, round).unwrap_or(removed_s) + seconds, "recovery")
            }
            (Some(false), _) => {
                let name = format!("recovery:{}", fault.id);
                let waited = self.results.spans.iter().filter(|span| span.window == name).map(|span| span.to_s);
                (waited.fold(removed_s, f64::max), "recovery never")
            }
            _ => return from,
        };
        let end = frame.time.at(end_s).max(from + 2.0);
        svg.line((from, middle), (end, middle), class);
        let end_class = if class == "recovery" { class } else { "recovery gave-up" };
        svg.line((end, middle - 7.0), (end, middle + 7.0), end_class);
        end
    }

    /// What a person did: bars for what lasted, ticks for what did not; the sentences stand below the drawing.
    fn operator(&self, svg: &mut Svg, top: f64) {
        let (frame, acts) = (self.frame, &self.results.operator);
        let middle = self.name(svg, top, "operator", "by hand");
        let mut last = (frame.left, frame.left);
        for act in acts {
            let from = frame.time.at(act.at_s);
            let to = act.until_s.map_or(from, |until| frame.time.at(until)).max(from + 2.0);
            match act.until_s {
                Some(_) => svg.rect((from, middle - 6.0), (to - from, 12.0), "by-hand"),
                None => svg.line((from, middle - 8.0), (from, middle + 8.0), "by-hand"),
            }
            last = (last.0.max(from), last.1.max(to));
        }
        let said = match acts.as_slice() {
            [only] => words::by_hand(only),
            all => format!("{} times", all.len()),
        };
        self.say(svg, top, last, &[said]);
    }

    fn slo(&self, svg: &mut Svg, top: f64, slo: &SloData) {
        let sign = if slo.bound == "min" { "≥" } else { "≤" };
        let remark = format!("{} {sign} {}", slo.metric, format::value(slo.limit, &slo.unit));
        let lost = objectives::lost(slo);
        let said = if self.results.series.is_empty() {
            "not measured".to_owned()
        } else if lost.is_empty() {
            "held".to_owned()
        } else {
            let total: f64 = lost.iter().map(|[from, to]| to - from).sum();
            format!("lost for {}", format::seconds(total))
        };
        self.held(svg, top, (&slo.id, &remark), &lost, said);
    }

    fn probe(&self, svg: &mut Svg, top: f64, probe: &ProbeData) {
        let said = match (probe.asked, probe.failed) {
            (0, _) => "never asked".to_owned(),
            (_, 0) => "held".to_owned(),
            (asked, failed) => format!("failed {} of {}", format::count(failed), format::counted(asked, "time")),
        };
        let failed = words::failed_spans(self.results, &probe.id);
        self.held(svg, top, (&probe.id, "probe"), &failed, said);
    }

    /// A line for as long as something held, a bar where it did not.
    fn held(&self, svg: &mut Svg, top: f64, (name, remark): (&str, &str), broken: &[[f64; 2]], said: String) {
        let frame = self.frame;
        let middle = self.name(svg, top, name, remark);
        svg.line((frame.left, middle), (frame.right, middle), "held");
        let mut last = (frame.left, frame.left);
        for &[from, to] in broken {
            let (from, to) = (frame.time.at(from), frame.time.at(to));
            last = (from, to.max(from + 2.0));
            svg.rect((from, middle - 4.0), (last.1 - from, 8.0), "lost");
        }
        self.say(svg, top, last, &[said]);
    }

    /// Numbered marks for the findings that the report begins with, where they happened.
    fn findings(&self, svg: &mut Svg, top: f64) -> f64 {
        let frame = self.frame;
        let findings = words::top_findings(&self.results.summary);
        let marks: Vec<(usize, f64)> = findings
            .iter()
            .enumerate()
            .filter_map(|(index, finding)| Some((index + 1, frame.time.at(finding.at_s?))))
            .collect();
        if marks.is_empty() {
            return top + 8.0;
        }
        let middle = top + 14.0;
        if !frame.stacked() {
            svg.text((0.0, middle + 4.0), Anchor::Start, "t b", "findings");
        }
        let wanted: Vec<f64> = marks.iter().map(|(_, x)| *x).collect();
        for ((number, _), x) in marks.iter().zip(apart(&wanted, 19.0, frame.left + 8.0, frame.right - 8.0)) {
            svg.dot((x, middle), 8.0, &format!("mark k{number}"));
            svg.text((x, middle + 4.0), Anchor::Middle, "t number", &number.to_string());
        }
        top + 32.0
    }
}
