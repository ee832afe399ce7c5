//! Paragraphs and rows of at most [`WIDTH`] columns.

use crate::cli::folded::laid;

/// As wide as the help of the command line.
const WIDTH: usize = 100;

/// Text with line breaks between its words; paragraphs stay apart. Two spaces between words stay two.
pub fn wrapped(text: &str, indent: usize) -> String {
    let laid = text.split("\n\n").map(|paragraph| {
        let gap = if paragraph.contains("  ") { "  " } else { " " };
        laid(paragraph, gap, indent, WIDTH)
    });
    laid.collect::<Vec<_>>().join("\n")
}

/// A name and what is to be said of it, one below the other; long texts go on below their own beginning.
pub fn rows<N: AsRef<str>>(rows: &[(N, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.as_ref().chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, text) in rows {
        let text = wrapped(text, width + 4);
        out.push_str(&format!("  {:width$}  {}", name.as_ref(), text.trim_start()));
    }
    out
}

/// An example, apart from the text around it.
pub fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
