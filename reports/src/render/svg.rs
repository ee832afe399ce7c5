//! A small SVG writer: plain shapes with classes, everything that a user can name escaped, and no number that is not one.
//!
//! Colours, dashes and fonts are in `assets/report.css`, by class, so that dark mode and print need no second drawing.

pub mod axis;
pub mod label;

use std::fmt::Write as _;

/// Which point of a text stands at its coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A drawing in the making. Units are CSS pixels at the drawing's natural width.
#[derive(Debug)]
pub struct Svg {
    body: String,
    width: f64,
    height: f64,
}

impl Svg {
    /// An empty drawing.
    pub fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    /// Opens a group; everything until [`Svg::end`] takes its class.
    pub fn group(&mut self, class: &str) {
        self.push(format_args!("<g class=\"{}\">", escape(class)));
    }

    /// Closes the last group.
    pub fn end(&mut self) {
        self.body.push_str("</g>");
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.push(format_args!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\"/>",
            px(from.0),
            px(from.1),
            px(to.0),
            px(to.1),
            escape(class)
        ));
    }

    /// A rectangle; nothing if it has no extent.
    pub fn rect(&mut self, at: (f64, f64), size: (f64, f64), class: &str) {
        if size.0 > 0.0 && size.1 > 0.0 {
            self.push(format_args!(
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{}\"/>",
                px(at.0),
                px(at.1),
                px(size.0),
                px(size.1),
                escape(class)
            ));
        }
    }

    /// A dot.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, class: &str) {
        self.push(format_args!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"{}\"/>",
            px(at.0),
            px(at.1),
            px(radius),
            escape(class)
        ));
    }

    /// A text.
    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        self.push(format_args!(
            "<text x=\"{}\" y=\"{}\"{anchor} class=\"{}\">{}</text>",
            px(at.0),
            px(at.1),
            escape(class),
            escape(text)
        ));
    }

    /// A line through points; `None` is a gap, so that a time without data is not bridged. A point alone between gaps
    /// becomes a dot.
    pub fn polyline(&mut self, points: &[Option<(f64, f64)>], class: &str) {
        let mut path = String::new();
        for run in points.split(Option::is_none) {
            for (index, &(x, y)) in run.iter().flatten().enumerate() {
                // A drawn point of no length shows as a dot when the line has round ends.
                let command = if index == 0 { "M" } else { "L" };
                write!(path, "{command}{} {}", px(x), px(y)).expect("writing to a string cannot fail");
            }
            if run.len() == 1 {
                path.push_str("h0.1");
            }
        }
        if !path.is_empty() {
            self.push(format_args!("<path d=\"{path}\" class=\"{}\"/>", escape(class)));
        }
    }

    /// Many rectangles as one shape: x, y, width, height.
    pub fn bars(&mut self, bars: &[(f64, f64, f64, f64)], class: &str) {
        let mut path = String::new();
        for &(x, y, width, height) in bars {
            let (x, y, width, height) = (px(x), px(y), px(width), px(height));
            write!(path, "M{x} {y}h{width}v{height}h-{width}z").expect("writing to a string cannot fail");
        }
        if !path.is_empty() {
            self.push(format_args!("<path d=\"{path}\" class=\"{}\"/>", escape(class)));
        }
    }

    /// Sets the size, for drawings that learn it while they are made.
    pub fn grow(&mut self, width: f64, height: f64) {
        (self.width, self.height) = (width, height);
    }

    /// The finished element: one picture with one sentence for those who do not see it.
    pub fn finish(self, class: &str, sentence: &str) -> String {
        format!(
            "<svg class=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            escape(class),
            px(self.width),
            px(self.height),
            escape(sentence),
            self.body
        )
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.body.write_fmt(text).expect("writing to a string cannot fail");
    }
}

/// A coordinate with at most one decimal: a tenth of a pixel is finer than any eye, and the file stays small.
fn px(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Escapes for element content and for attributes in double quotes.
pub fn escape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_a_user_can_name_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text((0.0, 0.0), Anchor::Start, "\"><script>", "<b>&'\"");
        let drawn = svg.finish("chart", "\"><script>alert(1)</script>");
        assert!(!drawn.contains("<script>") && !drawn.contains("<b>"), "{drawn}");
        assert!(drawn.contains(">&lt;b&gt;&amp;&#39;&quot;</text>"), "{drawn}");
    }

    #[test]
    fn a_number_that_is_none_does_not_reach_the_file() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.line((f64::NAN, f64::INFINITY), (1.25, 2.0), "rule");
        assert!(svg.finish("chart", "").contains("x1=\"0\" y1=\"0\" x2=\"1.2\" y2=\"2\""));
    }

    #[test]
    fn a_gap_in_the_data_is_a_gap_in_the_line() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.polyline(&[Some((0.0, 1.0)), Some((1.0, 1.0)), None, Some((3.0, 2.0))], "p50");
        assert!(svg.finish("chart", "").contains("d=\"M0 1L1 1M3 2h0.1\""));
    }
}
