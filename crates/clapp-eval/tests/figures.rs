//! Figures are well-formed XML and show all that is in the report.

use clapp_eval::figure::{Curves, Pair, Pairs, Phones, Picture, Points, Row, Values};
use clapp_eval::{Confusion, Labels, Protocol, Report, Series, Tsne, figure};
use ndarray::Array2;

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

/// The size of the smallest letters in points, if the figure is 8.5 cm wide.
fn smallest_letters(svg: &str) -> f64 {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let width = number(document.root_element().attribute("width").expect("a figure has one"));
    let sizes = document.descendants().filter_map(|node| node.attribute("font-size"));
    let smallest = sizes.map(number).fold(f64::INFINITY, f64::min);
    smallest * 8.5 / 2.54 * 72.0 / width
}

/// A made-up sound of 25 phones, eleven frames each in turn.
fn sound(frames: usize) -> Phones {
    let noise = |i: usize, j: usize| ((i * 37 + j * 101 + i * j) % 29) as f64 / 29.0;
    let label = |frame: usize| frame / 11 % 25;
    let right = |frame, class| if label(frame) == class { 0.7 } else { 0.01 };
    Phones {
        spectrum: Array2::from_shape_fn((frames, 40), |(i, j)| 8.0 * noise(i, j) as f32),
        posteriors: Array2::from_shape_fn((frames, 25), |(i, j)| right(i, j) + noise(i, j) / 10.0),
        labels: (0..frames).map(|frame| label(frame) as u32).collect(),
        names: (0..25).map(|class| format!("ph{class}")).collect(),
        begin: 0.0075,
    }
}

#[test]
fn phones_stand_below_their_time_and_the_figure_is_small() {
    // 16 s in three hundred kilobytes, of noise, which no picture of sound exceeds.
    let svg = figure::phones("Phones", "made up", &sound(1_600));
    assert!(svg.len() < 300_000, "{} bytes", svg.len());
    let svg = figure::phones("Phones", "made up", &sound(100));
    let document = roxmltree::Document::parse(&svg).unwrap();
    let number =
        |node: roxmltree::Node<'_, '_>, name: &str| node.attribute(name)?.parse::<f64>().ok();
    let of = |tag: &'static str| document.descendants().filter(move |node| node.has_tag_name(tag));
    // Two maps of the same width, and the scale; ten segments of labels from end to end.
    let maps: Vec<_> = of("image").map(|map| [number(map, "x"), number(map, "width")]).collect();
    assert_eq!((maps.len(), maps[0]), (3, maps[1]));
    let segments = of("rect")
        .filter(|rect| ["#d9d9d9", "#f4f4f4"].map(Some).contains(&rect.attribute("fill")));
    let segments: Vec<_> = segments.collect();
    assert_eq!(segments.len(), 10);
    assert_eq!(number(segments[0], "x"), maps[0][0]);
    let end = |from: Option<f64>, width: Option<f64>| from.unwrap() + width.unwrap();
    let last = end(number(segments[9], "x"), number(segments[9], "width"));
    // Places are rounded to tenths.
    assert!((last - end(maps[0][0], maps[0][1])).abs() < 0.25, "{last}");
    // The first ten classes occur, each once, beside the map and below it.
    let named = |name: &str| {
        document
            .descendants()
            .filter(|node| node.is_text() && node.text().map(str::trim) == Some(name))
            .count()
    };
    assert_eq!(["ph0", "ph8", "ph10"].map(named), [2, 2, 0]);
}

#[test]
fn letters_are_legible_in_a_column() {
    let run: Vec<(f64, f64)> = (1..300).map(|x| (f64::from(x), 2.0 / f64::from(x))).collect();
    let panel = |layer: usize| Curves {
        title: format!("layer {layer}"),
        quantity: "loss".into(),
        runs: vec![run.clone(), run.iter().map(|&(x, y)| (x, y + 0.5)).collect()],
    };
    let panels: Vec<Curves> = (1..=3).map(panel).collect();
    let long = "made up, and with so much to say about it that no column is wide enough for all of it at once";
    let curves = figure::curves("Learning", long, "images", &["one", "another"], &panels);
    let edge = Picture::of_planes(3, [2, 2], |place| (20 * place) as u8);
    let row = Row { name: "layer 1, unit 7".into(), pictures: vec![edge; 12] };
    let pictures = figure::pictures("What units prefer", long, &[row.clone(), row], 8);
    let scores = ndarray::Array2::from_shape_fn((40, 10), |(i, j)| ((3 * i + j) % 7) as f64);
    let labels: Vec<u32> = (0..40).map(|i| i % 10).collect();
    let confusion = figure::confusion(&Confusion::of(scores.view(), &labels), "Classes", long);
    let accuracy = figure::report(&report());
    let classes: Vec<u32> = (0..300).map(|i| i % 10).collect();
    let map = |layer: usize| Points {
        title: format!("layer {layer}"),
        places: Array2::from_shape_fn((300, 2), |(i, j)| ((i * (7 + 4 * j)) % 83) as f32),
    };
    let classes_named =
        ["aeroplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry"];
    let maps: Vec<Points> = (1..=6).map(map).collect();
    let maps = figure::points("Maps", long, &classes_named, &classes, &maps);
    let scores = |layer: usize| Values {
        title: format!("layer {layer}"),
        groups: vec![vec![0.5, 1.5, 1.2], vec![-2.0, -0.5, 0.1]],
    };
    let scores: Vec<Values> = (1..=3).map(scores).collect();
    let scores = figure::histograms("Scores", long, "score", &["fixations", "saccades"], &scores);
    let phones = figure::phones("Phones in the last layer", long, &sound(300));
    let of = |values: &[f64]| clapp_eval::Summary::of(values).unwrap();
    let row = |name: &str, reached: f64, control| Pair {
        name: name.into(),
        reached: of(&[reached, reached + 1.5]),
        control,
    };
    let rows = vec![
        row("a method with a name that is long", 55.0, Some(of(&[48.0, 50.0, 49.0]))),
        row("clapp-s", 42.0, Some(of(&[45.0, 45.2]))),
        row("without a control", 40.0, None),
    ];
    let panel = |title: &str| Pairs { title: title.into(), rows: rows.clone() };
    let panels = [panel("all labels"), panel("10 labels a class")];
    let along = "top-1 accuracy (%)";
    let pairs = figure::pairs("Rules", long, along, ["learnt", "untrained"], &panels);
    // Two rows of a pair, two whiskers each, and a row of one; a legend of two.
    assert_eq!(pairs.matches("translate(").count() - 3, 2 * (2 + 2 + 1) + 2, "{pairs}");
    for (name, svg) in [
        ("pairs", pairs),
        ("phones", phones),
        ("maps", maps),
        ("scores", scores),
        ("curves", curves),
        ("pictures", pictures),
        ("confusion", confusion),
        ("accuracy", accuracy),
    ] {
        keep(&format!("{name}.svg"), &svg);
        let letters = smallest_letters(&svg);
        assert!(letters >= 5.0, "{name}: {letters} points");
    }
}

#[test]
fn curves_of_one_quantity_share_their_axis_and_pictures_are_inside() {
    let panel = |title: &str, most| Curves {
        title: title.into(),
        quantity: "loss".into(),
        runs: vec![vec![(1.0, 0.0), (2.0, most)]],
    };
    let svg = figure::curves("Learning", "", "images", &["a"], &[panel("1", 1.0), panel("2", 4.0)]);
    assert_eq!(svg.matches(">\n4\n<").count() + svg.matches(">4<").count(), 2, "{svg}");
    let picture = Picture::of_planes(1, [4, 2], |place| [0, 8, 100, 100, 16, 24, 100, 100][place]);
    assert_eq!(picture.clone().shrunk(2).rgb, [12, 12, 12, 100, 100, 100]);
    assert!(picture.data_uri().starts_with("data:image/png;base64,iVBORw0KGgo"));

    let grey = |size, value| Picture::of_planes(1, size, |_| value);
    let strip = Picture::strip(&[grey([1, 2], 7), grey([2, 2], 9)]);
    let row = [7, 255, 9, 9].map(|value| [value; 3]).concat();
    assert_eq!((strip.size, strip.rgb), ([4, 2], [row.clone(), row].concat()));
}

#[test]
fn a_map_keeps_clusters_and_is_the_same_with_any_number_of_threads() {
    // Four clusters of 30, in 80 dimensions: more than are kept.
    let cluster = |i: usize| i % 4;
    let noise = |i: usize, j: usize| ((i * 37 + j * 101 + i * j) % 29) as f32 / 29.0;
    let centre = |i: usize, j: usize| if j % 4 == cluster(i) { 3.0 } else { 0.0 };
    let features = Array2::from_shape_fn((120, 80), |(i, j)| centre(i, j) + noise(i, j));
    let tsne = Tsne { perplexity: 10.0, epochs: 400, ..Tsne::new(2) };
    let map = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let mut steps = 0;
        let maps =
            pool.install(|| tsne.maps(&[features.view(), features.view()], &mut |_| steps += 1));
        assert_eq!(steps, 800);
        maps.expect("good features")
    };
    let (one, three) = (map(1), map(3));
    assert_eq!(one, three);
    assert_eq!(one[0], one[1]);
    let far = |i: usize, k: usize| {
        let difference = &one[0].row(i) - &one[0].row(k);
        difference.dot(&difference)
    };
    for i in 0..120 {
        let others = (0..120).filter(|k| *k != i);
        let nearest = others.min_by(|a, b| far(i, *a).total_cmp(&far(i, *b)));
        assert_eq!(nearest.map(cluster), Some(cluster(i)), "sample {i}");
    }
    let other = Tsne { seed: 3, ..tsne }.map(features.view(), &mut |_| ()).expect("good features");
    assert_ne!(one[0], other);
    let dead = Tsne { epochs: 20, ..tsne }.map(Array2::zeros((40, 60)).view(), &mut |_| ());
    assert!(
        dead.expect("units that say nothing are no error").iter().all(|place| place.is_finite())
    );
    let few = tsne.map(Array2::zeros((3, 8)).view(), &mut |_| ()).unwrap_err().to_string();
    assert_eq!(few, "t-SNE: expected 4 to 8000 samples, got 3; take others");
}

/// Ten clusters in 1,024 dimensions, as many samples as a map has at most.
#[test]
#[ignore = "it takes a minute; run it by name with --nocapture to see how long"]
fn the_largest_map_takes_less_than_three_minutes_on_two_cores() {
    let noise = |i: usize, j: usize| ((i * 7919 + j * 104_729 + i * j) % 1009) as f32 / 1009.0;
    let centre = |i: usize, j: usize| if j % 10 == i % 10 { 0.5 } else { 0.0 };
    let features = Array2::from_shape_fn((Tsne::MOST, 1024), |(i, j)| centre(i, j) + noise(i, j));
    let start = std::time::Instant::now();
    let map = Tsne::new(2).map(features.view(), &mut |_| ()).expect("good features");
    let seconds = start.elapsed().as_secs_f64();
    println!("8,000 x 1,024: {seconds:.1} s");
    let classes: Vec<u32> = (0..Tsne::MOST as u32).map(|i| i % 10).collect();
    let panel = Points { title: "made up".into(), places: map };
    keep("largest-map.svg", &figure::points("Ten clusters", "made up", &[], &classes, &[panel]));
    assert!(seconds < 180.0, "{seconds} s");
}
