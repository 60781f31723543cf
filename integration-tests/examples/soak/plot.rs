//! Lines over time, as SVG that can be read on light and on dark ground.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
/// A panel: its title, what is drawn, and the labels below.
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const ABOVE: f64 = 44.0;
const BELOW: f64 = 30.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#59636e}.t{font-size:14px;font-weight:600;fill:#1f2328}\
    .g{stroke:#8c959f;stroke-opacity:.35;stroke-width:1}.l{fill:none;stroke-width:1.6;stroke-linejoin:round}\
    .s0{stroke:#0969da}.s1{stroke:#bc4c00}.s2{stroke:#1a7f37}.s3{stroke:#8250df}\
    @media(prefers-color-scheme:dark){text{fill:#9198a1}.t{fill:#f0f6fc}\
    .s0{stroke:#4493f8}.s1{stroke:#f0883e}.s2{stroke:#3fb950}.s3{stroke:#ab7df8}}";

/// How a panel's values are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    FromZero,
    Log,
}

/// Some lines with one axis.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    pub(crate) axis: Axis,
    /// Each with its name and its points: minutes, and what there was then.
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// The panels, one below the other; `says` is for those who can't see them.
pub(crate) fn plot(says: &str, panels: &[Panel]) -> String {
    let height = HEIGHT * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\"><title>{says}</title><style>{STYLE}</style>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        write!(svg, "<g transform=\"translate(0 {})\">", HEIGHT * index as f64).unwrap();
        panel.draw(&mut svg);
        svg.push_str("</g>\n");
    }
    svg + "</svg>\n"
}

impl Panel {
    fn values(&self) -> impl Iterator<Item = (f64, f64)> {
        self.lines.iter().flat_map(|(_, points)| points.iter().copied())
    }

    /// The values that get a line across.
    fn ticks(&self) -> Vec<f64> {
        let most = self.values().map(|(_, value)| value).fold(f64::MIN_POSITIVE, f64::max);
        match self.axis {
            Axis::FromZero => {
                let rough = most / 4.0;
                let ten = 10_f64.powf(rough.log10().floor());
                let step =
                    [1.0, 2.0, 2.5, 5.0, 10.0].map(|by| by * ten).into_iter().find(|step| *step >= rough);
                let step = step.unwrap_or(ten * 10.0);
                (0..=5).map(|tick| step * f64::from(tick)).take_while(|tick| *tick < most + step).collect()
            }
            Axis::Log => {
                let least = self.values().map(|(_, value)| value).filter(|value| *value > 0.0);
                let least = least.fold(f64::INFINITY, f64::min);
                let (low, high) =
                    (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0));
                std::iter::successors(Some(low), |tick| Some(tick + 1.0))
                    .take_while(|tick| *tick <= high)
                    .map(|tick| 10_f64.powf(tick))
                    .collect()
            }
        }
    }

    fn draw(&self, svg: &mut String) {
        let ticks = self.ticks();
        let scaled = |value: f64| if self.axis == Axis::Log { value.max(ticks[0]).log10() } else { value };
        let (low, high) = (scaled(ticks[0]), scaled(ticks[ticks.len() - 1]));
        let minutes = self.values().map(|(minute, _)| minute).fold(0.01, f64::max);
        let x = |minute: f64| LEFT + minute / minutes * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BELOW - (scaled(value) - low) / (high - low) * (HEIGHT - ABOVE - BELOW);
        let unit = if self.unit.is_empty() { String::new() } else { format!(", {}", self.unit) };
        write!(svg, "<text class=\"t\" x=\"{LEFT}\" y=\"16\">{}{unit}</text>", self.title).unwrap();
        let mut right = LEFT;
        for (index, (name, _)) in self.lines.iter().enumerate() {
            write!(
                svg,
                "<path class=\"l s{index}\" d=\"M{right} 30h18\"/><text x=\"{}\" y=\"34\">{name}</text>",
                right + 24.0
            )
            .unwrap();
            right += 44.0 + 6.6 * name.len() as f64;
        }
        for tick in &ticks {
            let (y, end) = (y(*tick), WIDTH - RIGHT);
            write!(
                svg,
                "<path class=\"g\" d=\"M{LEFT} {y:.1}H{end}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                short(*tick)
            )
            .unwrap();
        }
        let step = [0.25, 1.0, 5.0, 10.0, 30.0, 60.0]
            .into_iter()
            .find(|step| minutes / step <= 8.0)
            .unwrap_or(120.0);
        let mut minute = 0.0;
        while minute <= minutes + step * 0.01 {
            let label = if minute == 0.0 { "0 min".to_owned() } else { short(minute) };
            write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                x(minute),
                HEIGHT - 10.0
            )
            .unwrap();
            minute += step;
        }
        for (index, (_, points)) in self.lines.iter().enumerate() {
            let path: Vec<String> =
                points.iter().map(|(minute, value)| format!("{:.1} {:.1}", x(*minute), y(*value))).collect();
            write!(svg, "<path class=\"l s{index}\" d=\"M{}\"/>", path.join("L")).unwrap();
        }
    }
}

/// A number without the zeros that say nothing.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
