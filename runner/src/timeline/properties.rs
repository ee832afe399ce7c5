//! What holds of every timeline in every world: random trees of items are walked through worlds that answer at once, late,
//! or not at all.

use brunt_scenario::plan::{Delayed, LOAD_CHANGE, LoadChange, Params, Repeat};
use brunt_scenario::units::CountOrShare;
use proptest::prelude::*;

use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn fault(lasts: Option<u64>, repeat: Option<(u32, u64)>) -> Item {
    Item::Fault(Box::new(Fault {
        id: "fault".into(),
        kind: if lasts.is_some() { "process.pause" } else { "process.kill" },
        target: "payments".into(),
        pick: CountOrShare::Count(1),
        max_affected: CountOrShare::All,
        allow_empty: false,
        follow: false,
        lasts: lasts.map(ms),
        repeat: repeat.map(|(times, every)| Repeat { times, every: ms(every) }),
        with: Params::default(),
        from: None,
        place: "test:1".into(),
    }))
}

fn item() -> impl Strategy<Value = Item> {
    let span = || 1u64..20_000;
    let leaf = prop_oneof![
        span().prop_map(|length| Item::Baseline(ms(length))),
        span().prop_map(|length| Item::Pause(ms(length))),
        span().prop_map(|within| Item::Recover { within: ms(within) }),
        (0.0f64..4.0).prop_map(|factor| Item::Load(vec![LoadChange { load: "main".into(), factor }])),
        // `for` is at most `every`: the language sees to that.
        (prop::option::of(span()), prop::option::of((2u32..6, span()))).prop_map(|(lasts, repeat)| {
            fault(lasts, repeat.map(|(times, every)| (times, every.max(lasts.unwrap_or(1)))))
        }),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop::collection::vec((0u64..5_000, inner), 1..5).prop_map(|members| {
            let member = |(delay, item)| Delayed { delay: ms(delay), item };
            Item::Parallel(members.into_iter().map(member).collect())
        })
    })
}

/// How a world answers.
#[derive(Debug, Clone)]
struct Answers {
    /// After an action so many milliseconds until it is done, in turn.
    delays: Vec<u64>,
    /// After an act so many milliseconds until the target is whole; `None`: never.
    whole_after: Option<u64>,
    /// After a `recover` began so many milliseconds until the steady state holds; `None`: never.
    recovers_after: Option<u64>,
}

fn at_once() -> Answers {
    Answers { delays: vec![0], whole_after: Some(0), recovers_after: None }
}

fn answers() -> impl Strategy<Value = Answers> {
    let delays = prop::collection::vec(prop_oneof![Just(0u64), 1u64..3_000], 1..8);
    (delays, prop::option::of(0u64..30_000), prop::option::of(0u64..30_000))
        .prop_map(|(delays, whole_after, recovers_after)| Answers { delays, whole_after, recovers_after })
}

/// A world that is simulated: what was asked of it becomes true later, or never.
struct Walk {
    timeline: Timeline,
    answers: Answers,
    phases: Vec<FaultPhase>,
    instant: Vec<bool>,
    pending: Vec<(Offset, usize, FaultPhase)>,
    recovered_at: Option<Offset>,
    actions: Vec<(Offset, Action)>,
    answered: usize,
}

impl Walk {
    fn of(items: &[Item], answers: Answers) -> Self {
        let turns = turns_of(items);
        Self {
            timeline: Timeline::new(items),
            answers,
            phases: vec![FaultPhase::Planned; turns.len()],
            instant: turns.iter().map(|turn| turn.fault.lasts.is_none()).collect(),
            pending: Vec::new(),
            recovered_at: None,
            actions: Vec::new(),
            answered: 0,
        }
    }

    fn delay(&mut self) -> Duration {
        self.answered += 1;
        ms(self.answers.delays[self.answered % self.answers.delays.len()])
    }

    /// Until the timeline is over; answers when that was.
    fn walk_on(&mut self) -> Result<Offset, TestCaseError> {
        let mut now = Offset::default();
        for _ in 0..10_000 {
            self.settle(now);
            if self.timeline.is_over() && self.pending.is_empty() {
                return Ok(now);
            }
            let world = World { faults: &self.phases, recovered: false };
            let deadline = self.timeline.next_deadline(world);
            prop_assert!(deadline.is_none_or(|at| at > now), "{deadline:?} is past at {now:?}: {:?}", self.timeline);
            let changes = self.pending.iter().map(|(at, ..)| *at).chain(self.recovered_at).filter(|at| *at > now);
            let next = changes.chain(deadline).min();
            prop_assert!(next.is_some(), "stuck at {now:?}: {:?}", self.timeline);
            now = next.unwrap_or(now);
        }
        Err(TestCaseError::fail(format!("it never ends: {:?}", self.timeline)))
    }

    /// Lets everything happen that is due, until nothing moves any more.
    fn settle(&mut self, now: Offset) {
        loop {
            let due: Vec<_> = self.pending.extract_if(.., |(at, ..)| *at <= now).collect();
            for (at, turn, phase) in &due {
                self.phases[*turn] = *phase;
                if matches!(phase, FaultPhase::Active(_)) && self.instant[*turn] {
                    let whole = self.answers.whole_after;
                    self.pending.extend(whole.map(|after| (at.after(ms(after)), *turn, FaultPhase::Removed)));
                }
            }
            let recovered = self.recovered_at.is_some_and(|at| at <= now);
            let actions = self.timeline.advance(now, World { faults: &self.phases, recovered });
            if actions.is_empty() && due.is_empty() {
                return;
            }
            for action in actions {
                self.carry_out(&action, now);
                self.actions.push((now, action));
            }
        }
    }

    fn carry_out(&mut self, action: &Action, now: Offset) {
        match action {
            Action::Inject(turn) => {
                let at = now.after(self.delay());
                self.phases[*turn] = FaultPhase::Injecting;
                self.pending.push((at, *turn, FaultPhase::Active(at)));
            }
            Action::Revert(turn) => {
                let at = now.after(self.delay());
                self.phases[*turn] = FaultPhase::Removing;
                self.pending.push((at, *turn, FaultPhase::Removed));
            }
            Action::RecoverBegins { .. } => {
                self.recovered_at = self.answers.recovers_after.map(|after| now.after(ms(after)));
            }
            Action::RecoverEnds { .. } => self.recovered_at = None,
            _ => {}
        }
    }

    fn times(&self, wanted: impl Fn(&Action) -> bool) -> Vec<Offset> {
        self.actions.iter().filter(|(_, action)| wanted(action)).map(|(at, _)| *at).collect()
    }
}

fn leaves<'a>(items: &'a [Item], all: &mut Vec<&'a Item>) {
    for item in items {
        match item {
            Item::Parallel(members) => {
                members.iter().for_each(|member| leaves(std::slice::from_ref(&member.item), all));
            }
            leaf => all.push(leaf),
        }
    }
}

fn is_longer_than_whole(times: &[Offset], every: Duration) -> bool {
    times.windows(2).all(|pair| pair[1].since(pair[0]) >= every)
}

proptest! {
    #[test]
    fn every_turn_is_injected_once_and_every_lasting_one_is_undone_once_whatever_the_world_answers(
        items in prop::collection::vec(item(), 1..6),
        answers in answers(),
    ) {
        let mut walk = Walk::of(&items, answers);
        walk.walk_on()?;
        for turn in 0..walk.phases.len() {
            let injected = walk.times(|action| *action == Action::Inject(turn));
            let reverted = walk.times(|action| *action == Action::Revert(turn));
            prop_assert_eq!(injected.len(), 1, "turn {}", turn);
            prop_assert_eq!(reverted.len(), usize::from(!walk.instant[turn]), "turn {}", turn);
            prop_assert!(reverted.iter().all(|at| *at > injected[0]), "it lasted");
            let phase = walk.phases[turn];
            prop_assert!(walk.instant[turn] || phase == FaultPhase::Removed, "turn {}: {:?}", turn, phase);
        }
        let mut all = Vec::new();
        leaves(&items, &mut all);
        let count = |wanted: fn(&Item) -> bool| all.iter().filter(|item| wanted(item)).count();
        let baselines = count(|item| matches!(item, Item::Baseline(_)));
        let recovers = count(|item| matches!(item, Item::Recover { .. }));
        let loads = count(|item| matches!(item, Item::Load(_)));
        prop_assert_eq!(walk.times(|action| *action == Action::BaselineBegins).len(), baselines);
        prop_assert_eq!(walk.times(|action| *action == Action::BaselineEnds).len(), baselines);
        prop_assert_eq!(walk.times(|action| matches!(action, Action::RecoverBegins { .. })).len(), recovers);
        prop_assert_eq!(walk.times(|action| matches!(action, Action::RecoverEnds { .. })).len(), recovers);
        prop_assert_eq!(walk.times(|action| matches!(action, Action::ChangeLoad { .. })).len(), loads);
        prop_assert_eq!(walk.times(|action| matches!(action, Action::LoadChanged { .. })).len(), loads);
    }

    #[test]
    fn the_items_of_a_list_follow_each_other(items in prop::collection::vec(item(), 2..6), answers in answers()) {
        let mut walk = Walk::of(&items, answers);
        walk.walk_on()?;
        let mut first = 0;
        let mut latest = Offset::default();
        for item in &items {
            let turns = turns_of(std::slice::from_ref(item)).len();
            let of_item = |action: &Action| matches!(action, Action::Inject(turn) if (first..first + turns).contains(turn));
            let injected = walk.times(of_item);
            prop_assert!(injected.iter().all(|at| *at >= latest), "{:?} before {:?}", injected, latest);
            latest = injected.into_iter().max().unwrap_or(latest);
            first += turns;
        }
    }

    #[test]
    fn rounds_are_counted_and_never_closer_than_every(
        lasts in prop::option::of(1u64..5_000),
        times in 2u32..8,
        every in 5_000u64..20_000,
        answers in answers(),
        in_group in any::<bool>(),
    ) {
        let item = fault(lasts, Some((times, every)));
        let item = if in_group { Item::Parallel(vec![Delayed { delay: ms(700), item }]) } else { item };
        let mut walk = Walk::of(&[item], answers.clone());
        walk.walk_on()?;
        let began = walk.times(|action| matches!(action, Action::Inject(_)));
        prop_assert_eq!(began.len(), times as usize);
        prop_assert!(is_longer_than_whole(&began, ms(every)), "{:?}", began);
        // A round waits for the one before only if that outlasts `every`.
        let longest = lasts.unwrap_or(0) + 2 * answers.delays.iter().max().copied().unwrap_or(0);
        if longest <= every {
            prop_assert!(began.windows(2).all(|pair| pair[1].since(pair[0]) == ms(every)), "{:?}", began);
        }
    }

    #[test]
    fn a_world_that_answers_at_once_and_never_recovers_takes_exactly_the_worst_case(
        items in prop::collection::vec(item(), 1..6),
    ) {
        let ended = Walk::of(&items, at_once()).walk_on()?;
        prop_assert_eq!(ended, Offset::default().after(worst_case(&items)));
    }

    #[test]
    fn a_world_that_recovers_takes_no_longer(items in prop::collection::vec(item(), 1..6), after in 0u64..30_000) {
        let ended = Walk::of(&items, Answers { recovers_after: Some(after), ..at_once() }).walk_on()?;
        prop_assert!(ended <= Offset::default().after(worst_case(&items)));
    }

    #[test]
    fn a_load_change_is_told_before_it_is_in_force(items in prop::collection::vec(item(), 1..6), answers in answers()) {
        let mut walk = Walk::of(&items, answers);
        walk.walk_on()?;
        let mut told: Vec<Offset> = Vec::new();
        for (now, action) in &walk.actions {
            match action {
                Action::ChangeLoad { at, .. } => {
                    prop_assert_eq!(*at, now.after(LOAD_CHANGE));
                    told.push(*at);
                }
                Action::LoadChanged { at, .. } => {
                    prop_assert!(told.contains(at) && now >= at);
                }
                _ => {}
            }
        }
        prop_assert!(told.is_sorted(), "workers take changes over in order: {:?}", told);
    }
}
