//! Figures as files for a paper: SVG and PNG, with a file of captions.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use clapp::{Error, eval::figure::Picture, store};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{
        Options, Tree,
        fontdb::{Database, Family, Query},
    },
};

use super::figures::Figure;

/// Pixels on an inch of paper.
const PER_INCH: f64 = 300.0;
/// Pixels for each unit of a drawing: 620 units are a column of 8.5 cm.
const SCALE: f64 = 8.5 / 2.54 * PER_INCH / 620.0;
/// The name of the file of captions.
const CAPTIONS: &str = "captions.md";

/// A figure as files want it.
pub(super) struct Drawn<'a> {
    /// Letters, digits and dashes, unlike all others.
    pub name: String,
    /// Pixels.
    pub size: [usize; 2],
    /// The file.
    pub png: Vec<u8>,
    figure: &'a Figure,
}

/// All figures that there are, in pixels.
pub(super) fn draw(figures: &[Figure]) -> Result<Vec<Drawn<'_>>, Error> {
    let (options, mut names) = (with_fonts()?, BTreeSet::new());
    let drawn = figures.iter().filter(|figure| !figure.svg.is_empty()).map(|figure| {
        let picture = pixels(&figure.svg, &options)?;
        let name = unlike(&file_name(&figure.name), &mut names);
        Ok(Drawn { name, size: picture.size, png: picture.png(Some(PER_INCH)), figure })
    });
    drawn.collect()
}

/// Writes every figure as SVG and PNG, and what stands below them. A folder is replaced as a whole, and only if it
/// holds nothing else.
pub(super) fn write(folder: &Path, figures: &[Drawn<'_>]) -> Result<(), Error> {
    let ours = |name: &str| name == CAPTIONS || name.ends_with(".svg") || name.ends_with(".png");
    let replaceable = |name: &str| folder.join(CAPTIONS).is_file() && ours(name);
    store::write_folder(folder, &replaceable, |folder| {
        let put = |name: &str, bytes: &[u8]| {
            store::write_atomically(folder.join(name), |file| file.write_all(bytes))
        };
        let mut captions = String::new();
        for Drawn { name, png, figure: Figure { svg, caption, .. }, .. } in figures {
            put(&format!("{name}.svg"), svg.as_bytes())?;
            put(&format!("{name}.png"), png)?;
            captions += &format!("## {name}\n\n{caption}\n\n");
        }
        Ok(put(CAPTIONS, captions.as_bytes())?)
    })
}

/// Letters, digits and single dashes.
pub(super) fn file_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

/// A name that no figure has yet.
pub(super) fn unlike(name: &str, names: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !names.contains(name));
    let free = free.expect("there are more numbers than names");
    names.insert(free.clone());
    free
}

/// The fonts of the system. A drawing without them would have no letters, in silence.
fn with_fonts() -> Result<Options<'static>, Error> {
    let mut fonts = Database::new();
    fonts.load_system_fonts();
    let upright = fonts.faces().find(|face| !face.monospaced);
    let Some(family) = upright.and_then(|face| Some(face.families.first()?.0.clone())) else {
        let (expected, got) = ("fonts of this system, for letters in PNG files", "none");
        let advice = "install some, such as fonts-dejavu-core";
        return Err(Error::misfit_of("figures", expected, got, advice));
    };
    let plain = Query { families: &[Family::SansSerif], ..Query::default() };
    if fonts.query(&plain).is_none() {
        // Figures end their list of families with this one.
        fonts.set_sans_serif_family(family);
    }
    Ok(Options { fontdb: Arc::new(fonts), ..Options::default() })
}

/// A drawing on white, in 300 pixels an inch of a column.
fn pixels(svg: &str, options: &Options<'_>) -> Result<Picture, Error> {
    let undrawn = |got: String| {
        Error::misfit_of("figures", "a drawing that can be made pixels", got, "leave out --figures")
    };
    let tree = Tree::from_str(svg, options).map_err(|error| undrawn(error.to_string()))?;
    let across = |side: f32| (f64::from(side) * SCALE).round() as u32;
    let (width, height) = (across(tree.size().width()), across(tree.size().height()));
    let mut map =
        Pixmap::new(width, height).ok_or_else(|| undrawn(format!("{width} × {height}")))?;
    map.fill(resvg::tiny_skia::Color::WHITE);
    let scale = SCALE as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut map.as_mut());
    let rgb = map.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Ok(Picture { size: [width as usize, height as usize], rgb })
}
