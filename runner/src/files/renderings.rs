//! Which file is which rendering of the results; `brunt report` makes the same ones again.

use brunt_report::render;
use brunt_report::results::{self, Results};
use brunt_scenario::plan::Outputs;

/// A file that is a pure function of the results.
pub struct Rendering {
    /// Its name in the folder of the run.
    pub file: &'static str,
    /// Whether the scenario asks for it.
    pub wanted: fn(&Outputs) -> bool,
    /// Makes it.
    pub render: fn(&Results) -> String,
}

/// All of them; results.json itself is [`json`].
pub const RENDERINGS: [Rendering; 3] = [
    Rendering { file: "report.html", wanted: |outputs| outputs.html, render: render::html::render },
    Rendering { file: "junit.xml", wanted: |outputs| outputs.junit, render: render::junit::render },
    Rendering { file: "summary.md", wanted: |_| true, render: render::summary::render },
];

/// results.json.
pub fn json(results: &Results) -> String {
    results::write(results)
}
