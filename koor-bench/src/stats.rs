//! Medians and quantiles.

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which that share of all lies: the nearest one that was measured, or for the median of an even
/// number the mean of the two in the middle.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    if (share - 0.5).abs() < f64::EPSILON {
        return f64::midpoint(sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    }
    sorted[(place.ceil() as usize).min(last)]
}

/// The median of the ratios within each round.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    median(&ratios)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_nearest_that_was_measured_and_never_below_its_share() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!([0.5, 0.99, 0.999].map(|share| quantile(&values, share)), [50.5, 100.0, 100.0]);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        assert_eq!(ratio(&[1.0, 20.0, 3.0], &[2.0, 10.0, 3.0]), 1.0);
    }
}
