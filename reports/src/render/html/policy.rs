//! What the browser may do with a report: apply this one style sheet, run this one script, and nothing else. Both are named by
//! their digests, so that not even text that got past the escaping could run.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("../../../assets/report.css");
const SCRIPT: &str = include_str!("../../../templates/report.js");
const PLOT: &str = include_str!("../../../vendor/uplot/uPlot.iife.min.js");
const PLOT_STYLE: &str = include_str!("../../../vendor/uplot/uPlot.min.css");
const PLOT_LICENCE: &str = include_str!("../../../vendor/uplot/LICENSE");

/// The style sheet, that of the plotting library first.
pub fn style() -> String {
    format!("\n{PLOT_STYLE}\n{STYLE}")
}

/// The style sheet of pages without charts that zoom.
pub fn style_alone() -> String {
    format!("\n{STYLE}")
}

/// The script, after the plotting library and its licence, which goes wherever the code goes.
pub fn script() -> String {
    format!("\n/*!\n{PLOT_LICENCE}*/\n{PLOT}\n{SCRIPT}")
}

/// The content security policy.
pub fn of(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        digest(style),
        digest(script)
    )
}

/// The content security policy of a page without a script.
pub fn without_script(style: &str) -> String {
    format!("default-src 'none'; style-src {}; img-src data:; base-uri 'none'; form-action 'none'", digest(style))
}

fn digest(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}
