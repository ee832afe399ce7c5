//! Labels that stand beside what they name and never on each other.

/// Roughly how wide a text is at a font size: system fonts differ, so this errs on the wide side.
pub fn width(text: &str, size_px: f64) -> f64 {
    text.chars().count() as f64 * size_px * 0.56
}

/// Cuts a text to a width, with an ellipsis.
pub fn fitted(text: &str, size_px: f64, width_px: f64) -> String {
    if width(text, size_px) <= width_px {
        return text.to_owned();
    }
    let room = (width_px / (size_px * 0.56)).floor().max(2.0) as usize;
    let mut cut: String = text.chars().take(room - 1).collect();
    cut.push('…');
    cut
}

/// Moves labels apart along one axis: each stays as near as it can to where it wants to be, keeps `gap` to its neighbours
/// and stays within the bounds as long as there is room for all. Answers in the order of `wanted`.
pub fn apart(wanted: &[f64], gap: f64, from: f64, to: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut placed = wanted.to_vec();
    let mut lowest = from;
    for &index in &order {
        placed[index] = placed[index].max(lowest);
        lowest = placed[index] + gap;
    }
    let mut highest = to;
    for &index in order.iter().rev() {
        placed[index] = placed[index].min(highest);
        highest = placed[index] - gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_want_the_same_place_are_moved_apart() {
        assert_eq!(apart(&[50.0, 50.0, 52.0], 12.0, 0.0, 100.0), [50.0, 62.0, 74.0]);
        assert_eq!(apart(&[98.0, 99.0], 12.0, 0.0, 100.0), [88.0, 100.0]);
    }

    #[test]
    fn a_text_that_does_not_fit_is_cut_visibly() {
        assert_eq!(fitted("payments-1", 10.0, 100.0), "payments-1");
        assert_eq!(fitted("payments-1 (127.0.0.1:43115)", 10.0, 100.0), "payments-1 (127.…");
    }
}
