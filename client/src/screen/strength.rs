//! How hard a password is to guess.
//!
//! zxcvbn takes 1 to 10 ms for most passwords, but above a second for 100 characters that can all
//! stand for letters (4, @, $, …); so it is asked for a part of them, and never by the interface.

use std::fmt;

use zxcvbn::{Score, zxcvbn};

use super::secret::Typed;

/// Characters that are measured; more of them could only be harder to guess.
pub const MEASURED_MAX: usize = 64;

/// How hard a password is to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// At most a million guesses.
    Weak,
    /// At most a hundred million.
    Fair,
    /// At most ten thousand million: the least that is taken.
    Good,
    /// More.
    Strong,
}

/// What is known about a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// How hard it is to guess.
    pub strength: Strength,
    /// What would make it harder; empty if it is hard enough.
    pub advice: String,
}

/// What is known about the password in a field while it is being typed; asks one question at a time.
#[derive(Debug, Default)]
pub struct Gauge {
    number: u64,
    last: Option<(u64, Measured)>,
    is_asking: bool,
}

/// A password to be measured; its `Debug` shows nothing.
pub struct Question {
    /// Tells the answer from answers about earlier passwords.
    pub number: u64,
    /// The password.
    pub password: Typed,
    /// What somebody who guesses tries first: the name and the server.
    pub known: Vec<String>,
}

impl Strength {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "Weak",
            Self::Fair => "Fair",
            Self::Good => "Good",
            Self::Strong => "Strong",
        }
    }

    /// Returns how many of four bars are filled.
    pub fn bars(self) -> usize {
        match self {
            Self::Weak => 1,
            Self::Fair => 2,
            Self::Good => 3,
            Self::Strong => 4,
        }
    }

    /// Tells whether an account may have such a password.
    pub fn is_enough(self) -> bool {
        self >= Self::Good
    }
}

impl Gauge {
    /// The password, or what is known to others, changed; returns what is to be measured now.
    pub fn changed(&mut self, password: &Typed, known: Vec<String>) -> Option<Question> {
        self.number += 1;
        if password.is_empty() {
            self.last = None;
        }
        self.ask(password, known)
    }

    /// A question was answered; returns the next if the password has changed since.
    pub fn answered(
        &mut self,
        number: u64,
        measured: Measured,
        password: &Typed,
        known: Vec<String>,
    ) -> Option<Question> {
        self.is_asking = false;
        if !password.is_empty() {
            self.last = Some((number, measured));
        }
        self.ask(password, known)
    }

    /// Returns what is known about the password as it is.
    pub fn current(&self) -> Option<&Measured> {
        let (number, measured) = self.last.as_ref()?;
        (*number == self.number).then_some(measured)
    }

    /// Returns the last that was known, to be shown until there is more.
    pub fn last(&self) -> Option<&Measured> {
        self.last.as_ref().map(|(_, measured)| measured)
    }

    fn ask(&mut self, password: &Typed, known: Vec<String>) -> Option<Question> {
        if self.is_asking || password.is_empty() || self.current().is_some() {
            return None;
        }
        self.is_asking = true;
        Some(Question { number: self.number, password: password.clone(), known })
    }
}

impl Measured {
    /// Says it in words.
    pub fn words(&self) -> String {
        let Self { strength, advice } = self;
        let stop = if advice.is_empty() { "" } else { ". " };
        format!("{}{stop}{advice}", strength.as_str())
    }
}

impl Question {
    /// Measures the password; takes up to half a second.
    pub fn answer(&self) -> Measured {
        let measured: zeroize::Zeroizing<String> =
            self.password.expose().chars().take(MEASURED_MAX).collect::<String>().into();
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        let entropy = zxcvbn(&measured, &known);
        let strength = match entropy.score() {
            Score::Two => Strength::Fair,
            Score::Three => Strength::Good,
            Score::Four => Strength::Strong,
            // zero and one; the crate may add scores
            _ => Strength::Weak,
        };
        let advice = match entropy.feedback().filter(|_| !strength.is_enough()) {
            Some(feedback) => {
                let warning = feedback.warning().map(|warning| warning.to_string());
                let suggestion = feedback.suggestions().first().map(ToString::to_string);
                warning.into_iter().chain(suggestion).collect::<Vec<_>>().join(" ")
            }
            None => String::new(),
        };
        Measured { strength, advice }
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({})", self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use insta::assert_snapshot;

    use super::*;

    fn question(password: &str, known: &[&str]) -> Question {
        let known = known.iter().map(|&it| it.into()).collect();
        Question { number: 1, password: Typed::new(password.into()), known }
    }

    fn weak() -> Measured {
        Measured { strength: Strength::Weak, advice: String::new() }
    }

    #[test]
    fn passwords_are_judged_and_weak_ones_advised() {
        let lines = [
            "password",
            "aaaaaaaaaaaaaaaaaaaa",
            "12345678",
            "qwertyuiop",
            "Bob1987",
            "bob.example",
            "chat.example.org",
            "tr0ub4dor",
            "violin harbour",
            "correct horse battery staple",
            "x7$kQ-9vL2",
            "\u{202e}\0",
            "日本語のパスワード",
        ]
        .map(|it| {
            format!(
                "{it:?}: {}",
                question(it, &["bob", "chat.example.org", "example"]).answer().words()
            )
        });
        assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_others_know_makes_a_password_weaker() {
        let password = "annelise.kowalczyk";
        let unknown = question(password, &[]).answer().strength;
        assert!(question(password, &[password]).answer().strength < unknown);
    }

    #[test]
    fn the_worst_password_takes_bounded_time() {
        // every character can stand for letters, which zxcvbn tries in all combinations
        for worst in
            ["aAbBcCeEgGiIlLoOsStTxXzZ4@8({[<369|1!0$5+7%2", "4@8({[</369|1!$+%2", "12041987"]
        {
            let start = Instant::now();
            question(&worst.repeat(50)[..1024.min(worst.len() * 50)], &["ann"]).answer();
            assert!(start.elapsed() < Duration::from_secs(5), "{worst}: {:?}", start.elapsed());
        }
    }

    #[test]
    fn a_gauge_asks_one_question_at_a_time_and_ends_with_the_last_password() {
        let mut gauge = Gauge::default();
        let [first, second] = ["first", "second"].map(|it| Typed::new(it.into()));
        let question = gauge.changed(&first, vec![]).unwrap();
        assert!(gauge.changed(&second, vec![]).is_none(), "one is asked already");
        let next = gauge.answered(question.number, weak(), &second, vec![]).unwrap();
        assert_eq!((gauge.current(), next.password.expose()), (None, "second"));
        assert_eq!(gauge.last(), Some(&weak()), "shown until there is more");
        assert!(gauge.answered(next.number, weak(), &second, vec![]).is_none());
        assert_eq!(gauge.current(), Some(&weak()));
    }

    #[test]
    fn nothing_is_known_of_no_password() {
        let mut gauge = Gauge::default();
        let nothing = Typed::default();
        assert!(gauge.changed(&nothing, vec![]).is_none());
        let question = gauge.changed(&Typed::new("a".into()), vec![]).unwrap();
        assert!(gauge.changed(&nothing, vec![]).is_none());
        assert!(gauge.answered(question.number, weak(), &nothing, vec![]).is_none());
        assert_eq!((gauge.current(), gauge.last()), (None, None));
    }

    #[test]
    fn debug_shows_no_password() {
        assert_eq!(format!("{:?}", question("hunter2", &["ann"])), "Question(1)");
    }
}
