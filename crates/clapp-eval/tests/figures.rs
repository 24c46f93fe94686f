//! Figures are well-formed XML and show all that is in the report.

use clapp_eval::{Labels, Protocol, Report, Series, figure};

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
                let mut record = |encoder, layer, accuracy| {
                    report.record(encoder, layer, series, seed as u64, accuracy).expect("in range");
                };
                for layer in 1..=6 {
                    let clapp = 44.0 + 24.0 * (1.0 - (-0.5 * layer as f64).exp()) - less;
                    let random = 46.0 - 3.5 * layer as f64 - less / 2.0;
                    record("clapp", layer, paper * (clapp + jitter(layer)));
                    record("random encoder", layer, paper * (random - jitter(layer)));
                }
                record("raw pixels", 0, 28.0 - less / 2.0 + jitter(0) / 3.0);
            }
        }
    }
    report
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
fn an_empty_report_still_has_a_figure() {
    let svg = figure::report(&Report::new("nothing", "no data", 10));
    let document = roxmltree::Document::parse(&svg).unwrap();
    let number = |name| document.root_element().attribute(name).unwrap().parse::<f64>().unwrap();
    assert!(number("width") > 0.0 && number("height") > 0.0);
    let texts: Vec<&str> = document
        .descendants()
        .filter(|node| node.is_text())
        .filter_map(|node| node.text())
        .collect();
    let expected = [
        "Read-out accuracy on no data",
        "encoders trained on nothing; mean, and range from lowest to highest seed",
        "chance",
    ];
    let shown: Vec<&str> = texts.iter().map(|text| text.trim()).filter(|t| !t.is_empty()).collect();
    assert_eq!(shown, expected);
}
