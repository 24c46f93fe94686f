//! The terminal: its other screen, its keys, and the way back from both.

use std::{
    io::{self, BufWriter, Read as _, Stderr, stderr, stdin},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use clapp::console;
use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

/// How often it is drawn, which takes less than a millisecond of one core.
const EVERY: Duration = Duration::from_millis(250);

/// Whether the dashboard is on the screen. Changes, and is relied on, under the lock of standard error.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Draws `picture` in a thread until [`leave`] is called, and has keys set `stop` as signals do. Without a terminal that
/// can be had, the run goes on unseen, with a note.
pub(super) fn show(
    picture: impl Fn(&mut Frame<'_>) + Send + 'static,
    stop: Arc<AtomicBool>,
) -> Option<JoinHandle<()>> {
    let ended = |error| {
        leave();
        console::note(format_args!("note: no dashboard from here on: {error}"));
    };
    // Here and not in the thread, which might come to it when the run has ended.
    let drawing = enter(stop).and_then(|terminal| {
        let thread = thread::Builder::new().name("dashboard".into());
        thread.spawn(move || draw(terminal, picture).unwrap_or_else(ended))
    });
    drawing.map_err(ended).ok()
}

/// Goes back to the normal screen, if that has not been done.
pub(super) fn leave() {
    // In a panic too: the lock is taken anew by the thread that has it.
    let mut screen = stderr().lock();
    if SHOWN.swap(false, Ordering::AcqRel) {
        // Where one fails, the other may not.
        let _ = disable_raw_mode();
        let _ = execute!(screen, LeaveAlternateScreen, Show);
    }
}

type Screen = Terminal<CrosstermBackend<BufWriter<Stderr>>>;

fn enter(stop: Arc<AtomicBool>) -> io::Result<Screen> {
    let earlier = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        leave();
        earlier(panic);
    }));
    console::before_exit(leave);
    let mut screen = stderr().lock();
    SHOWN.store(true, Ordering::Release);
    enable_raw_mode()?;
    execute!(screen, EnterAlternateScreen)?;
    thread::Builder::new().name("keys".into()).spawn(move || listen(&stop))?;
    Terminal::new(CrosstermBackend::new(BufWriter::new(stderr())))
}

fn draw(mut terminal: Screen, picture: impl Fn(&mut Frame<'_>)) -> io::Result<()> {
    loop {
        {
            let _screen = stderr().lock();
            if !SHOWN.load(Ordering::Acquire) {
                return Ok(());
            }
            terminal.draw(&picture)?;
        }
        thread::park_timeout(EVERY);
    }
}

/// Reads keys. A key that is a sequence of bytes, such as an arrow, comes as one, and is none of these.
fn listen(stop: &AtomicBool) {
    const CTRL_C: u8 = 3;
    let mut keys = [0; 64];
    while let Ok(count @ 1..) = stdin().read(&mut keys) {
        if !SHOWN.load(Ordering::Acquire) {
            break;
        }
        if keys[..count].iter().all(|key| matches!(*key, b'q' | CTRL_C)) {
            console::interrupt(stop);
        }
    }
}
