//! Two people who talk all the time, to show that others do not disturb them.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Person, World, soon};

/// Ann and bob, in a task of their own.
pub struct Talk {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Talk {
    /// Registers ann and bob and has them talk.
    pub async fn start(world: &World) -> Self {
        let (mut ann, mut bob) = world.pair("ann", "bob").await;
        let (stop, stopped) = watch::channel(false);
        exchange(&mut ann, &mut bob, 0).await;
        let task = tokio::spawn(async move {
            let mut turns = 1;
            while !*stopped.borrow() {
                exchange(&mut ann, &mut bob, turns).await;
                turns += 1;
            }
            // At least once after everything that was to disturb them.
            exchange(&mut ann, &mut bob, turns).await;
            let expected: Vec<_> = (0..=turns).map(|turn| turn.to_string()).collect();
            assert_eq!(ann.texts(), expected);
            assert_eq!(bob.texts(), expected);
            assert!(!ann.was_lost() && !bob.was_lost(), "somebody lost the connection");
        });
        Self { stop, task }
    }

    /// Lets them say one thing more, and checks that each got everything once and in order, and that
    /// neither ever lost the connection.
    ///
    /// # Panics
    /// If it was otherwise.
    pub async fn ends_well(self) {
        let _ = self.stop.send(true);
        soon("the talk's end", self.task).await.expect("the talk went well");
    }
}

async fn exchange(ann: &mut Person, bob: &mut Person, turn: usize) {
    let text = turn.to_string();
    tokio::join!(ann.send("bob", &text, &text), bob.send("ann", &text, &text));
    tokio::join!(ann.delivers(&text), bob.delivers(&text));
}
