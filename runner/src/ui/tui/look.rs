//! Colours and glyphs. Colours are the sixteen of the terminal's own theme, and never the only carrier of a meaning: each state
//! has a glyph and a word as well, so that `NO_COLOR` loses nothing.

use ratatui::style::{Color, Modifier, Style};

/// How the screen looks on this terminal.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Colours are welcome.
    pub color: bool,
    /// The glyphs.
    pub glyphs: Glyphs,
}

/// The characters beyond letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Boxes, braille, symbols.
    Unicode,
    /// What every terminal and font has.
    Ascii,
}

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Plain.
    Plain,
    /// Less important.
    Dim,
    /// Headings, the selected page.
    Strong,
    /// As it should be.
    Good,
    /// Needs a look.
    Warn,
    /// Not as it should be.
    Bad,
    /// A fault.
    Fault,
    /// A curve: the median.
    Low,
    /// A curve: the 90th percentile.
    Mid,
    /// A curve: the 99th percentile.
    High,
}

impl Look {
    /// By the environment: `NO_COLOR`, `TERM`, and the locale, of which `LC_ALL` counts before `LC_CTYPE` before `LANG`.
    pub fn of_environment() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
        let console = set("TERM").is_some_and(|term| term == "linux");
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        Self {
            color: set("NO_COLOR").is_none(),
            glyphs: if utf8 && !console { Glyphs::Unicode } else { Glyphs::Ascii },
        }
    }

    /// The style of a tone.
    pub fn style(self, tone: Tone) -> Style {
        let style = Style::new();
        let colored = |color| if self.color { style.fg(color) } else { style };
        match tone {
            Tone::Plain => style,
            // Dim is an attribute and no colour: it works on light themes too.
            Tone::Dim => style.add_modifier(Modifier::DIM),
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Good | Tone::Low => colored(Color::Green),
            Tone::Warn | Tone::Mid => colored(Color::Yellow),
            Tone::Bad | Tone::High => colored(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Fault => colored(Color::Magenta),
        }
    }

    /// The selected row.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// One of two characters or words.
    pub fn pick<T>(self, unicode: T, ascii: T) -> T {
        if self.glyphs == Glyphs::Unicode { unicode } else { ascii }
    }

    /// A text of ours or of the scenario for this terminal: what is not ASCII becomes a `?` where only that can be shown.
    pub fn text(self, text: &str) -> String {
        let printable = brunt_report::render::words::printable(text);
        if self.glyphs == Glyphs::Unicode {
            return printable;
        }
        let plain = |c: char| match c {
            '·' | '–' => '-'.to_string(),
            '±' => "+-".to_owned(),
            '↓' => "down".to_owned(),
            '↑' => "up".to_owned(),
            '←' => "left".to_owned(),
            '→' => "right".to_owned(),
            '…' => '~'.to_string(),
            '≤' => "<=".to_owned(),
            '≥' => ">=".to_owned(),
            c if c.is_ascii() => c.to_string(),
            _ => "?".to_owned(),
        };
        printable.chars().map(plain).collect()
    }

    /// A mark and its tone for something that holds, does not, or is not known.
    pub fn mark(self, holds: Option<bool>) -> (&'static str, Tone) {
        match holds {
            Some(true) => (self.pick("✔", "+"), Tone::Good),
            Some(false) => (self.pick("✗", "x"), Tone::Bad),
            None => (self.pick("·", "."), Tone::Dim),
        }
    }
}
