//! The matrix of methods and attacks, folded: cells are marks with numbers of notes, which say the rest once for all that are
//! alike; an attack that was tried nowhere is a line of its own.

use loadphys_plan::command_line::AttackName;
use loadphys_plan::records::Attack;

use super::MeasuredAttack;

/// The matrix.
pub struct Matrix {
    /// The attacks that have a column.
    pub attacks: Vec<AttackName>,
    /// What names each line (path, method, rules), and its cells.
    pub lines: Vec<([String; 3], Vec<String>)>,
    /// What the numbers in cells mean, from 1 on.
    pub notes: Vec<String>,
    /// Attacks that were tried nowhere, and why not.
    pub untried: Vec<String>,
}

impl Matrix {
    /// Of what came of all attacks.
    pub fn of(attacks: &[MeasuredAttack]) -> Self {
        let all = || attacks.iter().map(|it| &it.attack);
        let (mut columns, mut untried, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for name in AttackName::ALL {
            let of_it: Vec<&Attack> = all().filter(|it| it.attack == name.name()).collect();
            match untried_everywhere(&of_it) {
                Some(why) => untried.push(format!("{name} is untested everywhere: {why}")),
                None => columns.push(*name),
            }
        }
        let mut lines: Vec<([String; 3], Vec<String>)> = Vec::new();
        for names in all().map(names) {
            if !lines.iter().any(|(known, _)| *known == names) {
                let of_line: Vec<&Attack> = all().filter(|it| self::names(it) == names).collect();
                let cells = columns.iter().map(|column| cell(&of_line, *column, &mut notes));
                let cells = cells.collect();
                lines.push((names, cells));
            }
        }
        Self { attacks: columns, lines, notes, untried }
    }
}

/// Why an attack was tried nowhere, if that is one and the same for all.
fn untried_everywhere<'a>(attacks: &[&'a Attack]) -> Option<&'a str> {
    let first = attacks.first()?;
    let alike = |it: &&Attack| it.stopped.is_none() && it.by == first.by;
    attacks.iter().all(alike).then_some(first.by.as_str())
}

fn names(attack: &Attack) -> [String; 3] {
    [&attack.path, &attack.method, &attack.rules].map(|name| name.to_string())
}

/// A mark and the number of a note, which is noted if it is new. (A cell of which nothing is said is named as wrong.)
fn cell(of_line: &[&Attack], column: AttackName, notes: &mut Vec<String>) -> String {
    let Some(attack) = of_line.iter().find(|it| it.attack == column.name()) else {
        return String::new();
    };
    let by = attack.by.to_string();
    let number = notes.iter().position(|known| *known == by).unwrap_or_else(|| {
        notes.push(by);
        notes.len() - 1
    });
    let mark = match attack.stopped {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "-",
    };
    format!("{mark} {}", number + 1)
}
