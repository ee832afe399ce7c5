//! Labels of the drawn charts, read back from the SVG: none on another, none cut at an edge.

use brunt_report::render::html::render;
use brunt_report::render::svg::label::width;

use crate::sample;

struct Label {
    text: String,
    left: f64,
    right: f64,
    baseline: f64,
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0)
}

/// Every chart of a page: its width and its labels.
fn charts(page: &str) -> Vec<(f64, Vec<Label>)> {
    let charts = page
        .split("<svg class=\"chart")
        .skip(1)
        .map(|rest| rest.split_once("</svg>").expect("the writer closes what it opens").0);
    charts
        .map(|chart| {
            let size: f64 = attribute(chart, "viewBox")
                .expect("the writer closes what it opens")
                .split(' ')
                .nth(2)
                .expect("the writer closes what it opens")
                .parse()
                .expect("a coordinate is a number");
            let font = if size < 400.0 { 11.0 } else { 12.0 };
            let labels = chart.split("<text ").skip(1).map(|rest| label(rest, font)).collect();
            (size, labels)
        })
        .collect()
}

fn label(rest: &str, font: f64) -> Label {
    let (tag, rest) = rest.split_once('>').expect("the writer closes what it opens");
    let text = rest.split_once("</text>").expect("the writer closes what it opens").0.to_owned();
    let entities = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
        .replace("&quot;", "\"")
        .replace("&#39;", "'");
    let x: f64 =
        attribute(tag, "x").expect("the writer closes what it opens").parse().expect("a coordinate is a number");
    let wide = width(&entities, font);
    let left = match attribute(tag, "text-anchor") {
        Some("end") => x - wide,
        Some("middle") => x - wide / 2.0,
        _ => x,
    };
    Label {
        text: entities,
        left,
        right: left + wide,
        baseline: attribute(tag, " y")
            .expect("the writer closes what it opens")
            .parse()
            .expect("a coordinate is a number"),
    }
}

#[test]
fn no_label_stands_on_another_and_none_is_cut() {
    for results in
        [sample::shop(), sample::aborted(), sample::invalid(), sample::empty(), sample::hostile(), sample::hour()]
    {
        for (size, labels) in charts(&render(&results)) {
            for (index, one) in labels.iter().enumerate() {
                let inside = one.left >= -1.0 && one.right <= size + 4.0;
                assert!(inside, "{:?} is cut at {size}: {} to {}", one.text, one.left, one.right);
                for other in &labels[index + 1..] {
                    let beside = one.right <= other.left + 2.0 || other.right <= one.left + 2.0;
                    let apart = (one.baseline - other.baseline).abs() >= 10.0;
                    assert!(beside || apart, "{:?} stands on {:?} at {size}", one.text, other.text);
                }
            }
        }
    }
}
