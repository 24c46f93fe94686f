//! `--tui`: a dashboard in the terminal while a run learns.

mod curve;
mod draw;
mod screen;
#[cfg(test)]
mod tests;
mod view;

use std::{
    env,
    io::{IsTerminal as _, stderr, stdin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use clap::Args;
use clapp::{
    Error, console,
    run::{Observer, StepMetrics},
};
use ratatui::crossterm::terminal;

pub(crate) use view::View;

/// How a run is shown.
#[derive(Args)]
pub(crate) struct Options {
    /// A dashboard in the terminal in place of the bar; q stops the run as Ctrl-C does
    #[arg(long, conflicts_with = "quiet")]
    pub tui: bool,
}

/// Columns and rows below which there is no dashboard.
const LEAST: (u16, u16) = (40, 10);

impl Options {
    /// Refuses a terminal that cannot show it, before anything is written.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !self.tui {
            return Ok(());
        }
        let (columns, rows) = LEAST;
        let got = if !stderr().is_terminal() {
            "none at standard error".to_owned()
        } else if !stdin().is_terminal() {
            "none at standard input".to_owned()
        } else if env::var_os("TERM").is_some_and(|name| name == "dumb") {
            "TERM=dumb".to_owned()
        } else {
            match terminal::size() {
                Ok((width, height)) if width >= columns && height >= rows => return Ok(()),
                Ok((width, height)) => format!("{width} × {height}"),
                Err(error) => error.to_string(),
            }
        };
        let expected = format!("a terminal of at least {columns} × {rows}");
        Err(Error::misfit_of("--tui", expected, got, "leave it out"))
    }
}

/// Whether colours are not wanted, see <https://no-color.org>.
fn colourless() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Shows a run on the alternate screen of the terminal at standard error, until it is dropped.
///
/// A thread draws what the run has said, so learning neither waits for the terminal nor the clock for learning.
pub(crate) struct Dashboard {
    view: Arc<Mutex<View>>,
    began: Instant,
    stop: Arc<AtomicBool>,
    screen: Option<JoinHandle<()>>,
}

impl Dashboard {
    /// Opens it.
    pub(crate) fn open(view: View) -> Self {
        let stop = console::interrupted();
        let (view, began) = (Arc::new(Mutex::new(view)), Instant::now());
        let picture = {
            let (view, stop, colour) = (view.clone(), stop.clone(), !colourless());
            move |frame: &mut ratatui::Frame<'_>| {
                // A copy, so that a slow terminal holds nobody up.
                let view = locked(&view).clone();
                view.draw(frame, began.elapsed(), stop.load(Ordering::Acquire), colour);
            }
        };
        let screen = screen::show(picture, stop.clone());
        Self { view, began, stop, screen }
    }

    /// The view, and how long there has been one.
    fn view(&self) -> (MutexGuard<'_, View>, Duration) {
        (locked(&self.view), self.began.elapsed())
    }
}

/// What happens to the picture is no reason to end the run.
fn locked(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Dashboard {
    fn step(&mut self, steps: u64, metrics: &StepMetrics) -> bool {
        let (mut view, at) = self.view();
        view.step(at, steps, metrics);
        !self.stop.load(Ordering::Acquire)
    }

    fn stage(&mut self, what: &str) {
        let (mut view, at) = self.view();
        view.stage(at, what);
    }

    fn note(&mut self, what: &str) {
        self.view().0.note(what);
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        screen::leave();
        if let Some(screen) = self.screen.take() {
            screen.thread().unpark();
            // It has said so if it failed.
            let _ = screen.join();
        }
        // They went with the screen.
        self.view().0.notes().for_each(|note| console::note(format_args!("note: {note}")));
    }
}
