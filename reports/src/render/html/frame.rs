//! What all charts over time share: widths, the time axis, fault bands.
//!
//! A drawing cannot reflow, so each is drawn for three widths of the page; the style sheet shows the one that fits, with
//! text at its natural size.

use crate::render::svg::axis::{self, Scale};
use crate::render::svg::{Anchor, Svg};
use crate::results::{FaultData, Results, RoundData};

/// Height of a line of text in charts.
pub const LINE: f64 = 15.0;

/// For which page a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A desk.
    Wide,
    /// A tablet, half a screen.
    Middle,
    /// A phone.
    Narrow,
}

impl Size {
    /// All of them; each chart is drawn once for each.
    pub const ALL: [Self; 3] = [Self::Wide, Self::Middle, Self::Narrow];

    /// Natural width of a drawing in CSS pixels.
    pub fn width(self) -> f64 {
        match self {
            Self::Wide => 1080.0,
            Self::Middle => 700.0,
            Self::Narrow => 346.0,
        }
    }

    /// As style sheet and script call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Middle => "middle",
            Self::Narrow => "narrow",
        }
    }

    /// Class of the drawing.
    pub fn class(self) -> &'static str {
        match self {
            Self::Wide => "chart wide",
            Self::Middle => "chart middle",
            Self::Narrow => "chart narrow",
        }
    }

    /// Font size of labels.
    pub fn font(self) -> f64 {
        if self == Self::Narrow { 11.0 } else { 12.0 }
    }
}

/// The place of the charts within a drawing.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// For which page.
    pub size: Size,
    /// Left edge of the plots; names stand to the left of it.
    pub left: f64,
    /// Right edge of the plots; labels of lines stand to the right of it.
    pub right: f64,
    /// Seconds to pixels.
    pub time: Scale,
    /// Where the time axis ends, seconds.
    pub end_s: f64,
}

impl Frame {
    /// The frame of all charts over time.
    pub fn over_time(size: Size, end_s: f64) -> Self {
        let (left, right) = match size {
            Size::Wide => (186.0, 92.0),
            Size::Middle => (156.0, 88.0),
            Size::Narrow => (50.0, 42.0),
        };
        let right = size.width() - right;
        Self { size, left, right, time: Scale::linear(0.0, end_s, left, right), end_s }
    }

    /// Whether names stand above their plots instead of beside them.
    pub fn stacked(&self) -> bool {
        self.size == Size::Narrow
    }

    /// Writes the name of a plot and what its axis shows; answers where the plot begins.
    pub fn title(&self, svg: &mut Svg, top: f64, name: &str, unit: &str) -> f64 {
        if self.stacked() {
            svg.text((0.0, top + 12.0), Anchor::Start, "t b halo", name);
            // A phone has room for the last word only: what kind of axis it is.
            let short = unit.rsplit(", ").next().unwrap_or_default();
            svg.text((self.size.width(), top + 12.0), Anchor::End, "t m halo", short);
            return top + LINE + 5.0;
        }
        svg.text((0.0, top + 11.0), Anchor::Start, "t b", name);
        for (index, line) in unit.split(", ").enumerate() {
            svg.text((0.0, top + 11.0 + LINE * (index + 1) as f64), Anchor::Start, "t m", line);
        }
        top
    }

    /// A horizontal grid line with its value.
    pub fn grid(&self, svg: &mut Svg, y: f64, label: &str) {
        svg.line((self.left, y), (self.right, y), "grid");
        svg.text((self.left - 6.0, y + 4.0), Anchor::End, "t m", label);
    }

    /// The time axis with its ticks, and faint lines up to `top`.
    pub fn time_axis(&self, svg: &mut Svg, top: f64, y: f64) {
        let most = if self.stacked() { 4 } else { 10 };
        svg.line((self.left, y), (self.right, y), "axis");
        for tick in axis::time_ticks(self.end_s, most) {
            let x = self.time.at(tick);
            svg.line((x, top), (x, y), "grid faint");
            svg.line((x, y), (x, y + 4.0), "axis");
            svg.text((x, y + 17.0), Anchor::Middle, "t m", &axis::clock(tick, self.end_s));
        }
        let unit = if self.end_s <= 120.0 { "time since start" } else { "time since start, h:min:s" };
        svg.text((self.right, y + 32.0), Anchor::End, "t m", unit);
    }

    /// The span of every fault, in its colour and with its dash.
    pub fn bands(&self, svg: &mut Svg, faults: &[FaultData], top: f64, bottom: f64) {
        for (index, fault) in faults.iter().enumerate() {
            let spans = self.apart(spans(fault, self.end_s));
            if spans.is_empty() {
                continue;
            }
            svg.group(&style(index));
            for (from, to) in spans {
                svg.rect((from, top), ((to - from).max(1.0), bottom - top), "band");
                svg.line((from, top), (from, bottom), "edge");
                svg.line((to, top), (to, bottom), "edge");
            }
            svg.end();
        }
    }

    /// Only where faults began and ended, in their colours: for charts whose own colours say something.
    pub fn edges(&self, svg: &mut Svg, faults: &[FaultData], top: f64, bottom: f64) {
        for (index, fault) in faults.iter().enumerate() {
            for (from, to) in self.apart(spans(fault, self.end_s)) {
                svg.group(&style(index));
                svg.rect((from, top - 5.0), ((to - from).max(1.0), 4.0), "bar");
                svg.line((from, top), (from, bottom), "edge");
                svg.line((to, top), (to, bottom), "edge");
                svg.end();
            }
        }
    }

    /// Spans in pixels, in order. Those that no eye could tell apart become one, so that a fault of ten thousand rounds does
    /// not make a drawing of ten thousand bands.
    pub fn apart(&self, mut spans: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut drawn: Vec<(f64, f64)> = Vec::new();
        for (from, to) in spans.into_iter().map(|(from, to)| (self.time.at(from), self.time.at(to))) {
            match drawn.last_mut() {
                Some((_, end)) if from < *end + 1.0 => *end = end.max(to),
                _ => drawn.push((from, to)),
            }
        }
        drawn
    }
}

/// Of each round from just before the first change to just after the last undo; to the end if it was never undone. None if
/// the fault was never injected.
pub fn spans(fault: &FaultData, end_s: f64) -> Vec<(f64, f64)> {
    let of = |round: RoundData| {
        let from = round.injecting_at_s?;
        Some((from, round.removed_at_s.unwrap_or(end_s).max(from)))
    };
    fault.each_round().into_iter().filter_map(of).collect()
}

/// Colour and dash of a fault, the same in every chart and table: four colours, five dashes.
pub fn style(index: usize) -> String {
    format!("f{} d{}", index % 4, index / 4 % 5)
}

/// The same for a window: that of its fault, or of the reference; nothing for windows that are not drawn.
pub fn window_style(results: &Results, window: &str) -> String {
    let id = window.split_once(':').map(|(_, id)| id);
    let index = results.summary.faults.iter().position(|fault| Some(fault.id.as_str()) == id);
    match (index, window) {
        (Some(index), _) => style(index),
        (None, "baseline") => "fref".to_owned(),
        (None, _) => String::new(),
    }
}
