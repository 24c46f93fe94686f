//! Figures are well-formed XML and show all that is in the report.

use clapp_eval::figure::{self, Curve, CurvePanel};
use clapp_eval::{Labels, Protocol, Report, Series};

/// Numbers like those of the paper's Figure 4, made up.
fn report() -> Report {
    let mut report = Report::new(
        "stroke glyphs (stand-in for STL-10), 40,000 images",
        "stroke glyphs & <others>",
        10,
    );
    for protocol in [Protocol::Standardised, Protocol::Paper] {
        for labels in [Labels::All(5000), Labels::PerClass(10)] {
            let series = Series { protocol, labels };
            let less = if labels == Labels::All(5000) { 0.0 } else { 14.0 };
            let paper = if protocol == Protocol::Paper { 0.85 } else { 1.0 };
            for seed in 0..3 {
                let jitter = |layer: usize| ((seed * 7 + layer * 5) % 11) as f64 / 3.0 - 1.6;
                for layer in 1..=6 {
                    let clapp = 44.0 + 24.0 * (1.0 - (-0.5 * layer as f64).exp()) - less;
                    let random = 46.0 - 3.5 * layer as f64 - less / 2.0;
                    report
                        .record(
                            "clapp",
                            layer,
                            series,
                            seed as u64,
                            paper * (clapp + jitter(layer)),
                        )
                        .expect("in range");
                    report
                        .record(
                            "random encoder",
                            layer,
                            series,
                            seed as u64,
                            paper * (random - jitter(layer)),
                        )
                        .expect("in range");
                }
                report
                    .record(
                        "raw pixels",
                        0,
                        series,
                        seed as u64,
                        28.0 - less / 2.0 + jitter(0) / 3.0,
                    )
                    .expect("in range");
            }
        }
    }
    report
}

fn curves() -> Vec<CurvePanel> {
    let curve = |name: &str, a: f64, b: f64| Curve {
        name: name.into(),
        points: (0..=12)
            .map(|i| {
                let value = a + (b - a) * (1.0 - (-0.4 * i as f64).exp());
                (5000.0 * i as f64, vec![value, value * 1.03, value * 0.98])
            })
            .collect(),
    };
    let names = ["layer 1", "layer 2", "layer 3", "layer 4", "layer 5", "layer 6"];
    let panel = |title: &str, y: &str, a: f64, b: f64| CurvePanel {
        title: title.into(),
        y_label: y.into(),
        curves: names
            .iter()
            .zip(0..)
            .map(|(n, i)| curve(n, a, b * (1.0 + 0.08 * i as f64)))
            .collect(),
    };
    vec![
        panel("standardised, all 5000 labels", "top-1 accuracy (%)", 42.0, 50.0),
        panel("loss of each layer", "hinge loss", 2.0, 0.9),
    ]
}

/// Writes `svg` to the folder of `CLAPP_EVAL_FIGURES`, for those who want to look.
fn keep(name: &str, svg: &str) {
    if let Some(folder) = std::env::var_os("CLAPP_EVAL_FIGURES") {
        std::fs::write(std::path::Path::new(&folder).join(name), svg).expect("writable");
    }
}

#[test]
fn report_figure_is_well_formed_and_names_everything() {
    let svg = figure::report(&report());
    keep("report.svg", &svg);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    for expected in [
        "clapp",
        "random encoder",
        "raw pixels",
        "chance",
        "layer",
        "top-1 accuracy (%)",
        "standardised, all 5000 labels",
        "paper, 10 labels a class",
        "Read-out accuracy on stroke glyphs & <others>",
    ] {
        assert!(texts.iter().any(|text| text.trim() == expected), "{expected}");
    }
}

#[test]
fn learning_curves_are_well_formed() {
    let svg = figure::learning_curves("Learning curves", "stroke glyphs, 3 seeds", &curves());
    keep("curves.svg", &svg);
    roxmltree::Document::parse(&svg).unwrap();
    assert!(svg.contains("images seen") && svg.contains("60,000"));
}

#[test]
fn an_empty_report_still_has_a_figure() {
    let svg = figure::report(&Report::new("nothing", "nothing", 10));
    roxmltree::Document::parse(&svg).unwrap();
}
