//! Many stages that look alike, as one: the hundred scans of a union are a stack, not a wall of boxes.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::Drawn;

/// So many alike are drawn one by one.
const FEW: usize = 6;

/// A box: one stage, or several that do the same at the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The stages, by their place in the picture.
    pub stages: Vec<usize>,
    /// The groups whose rows they read.
    pub inputs: Vec<usize>,
}

/// The boxes of a picture: stages that do the same to inputs that are the same, for the same readers, are
/// one box where they are many.
pub fn groups(stages: &[Drawn]) -> Vec<Group> {
    let place: BTreeMap<usize, usize> = stages.iter().enumerate().map(|(i, s)| (s.id, i)).collect();
    let inputs: Vec<Vec<usize>> = (stages.iter())
        .map(|s| s.inputs.iter().filter_map(|i| place.get(i).copied()).collect())
        .collect();
    let mut readers: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); stages.len()];
    for (low, ups) in inputs.iter().enumerate() {
        for &up in ups {
            readers[up].insert(low);
        }
    }
    let shapes = shapes(stages, &inputs);
    // from below, so that the groups of readers are known; rounds, because stages are in no strict order
    let mut group_of: Vec<usize> = (0..stages.len()).collect();
    loop {
        let mut alike: BTreeMap<(usize, BTreeSet<usize>), Vec<usize>> = BTreeMap::new();
        for i in 0..stages.len() {
            let read_by = readers[i].iter().map(|&r| group_of[r]).collect();
            alike.entry((shapes[i], read_by)).or_default().push(i);
        }
        let mut next: Vec<usize> = (0..stages.len()).collect();
        for all in alike.values().filter(|a| a.len() > FEW) {
            all.iter().for_each(|&i| next[i] = all[0]);
        }
        if next == group_of {
            break;
        }
        group_of = next;
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    (0..stages.len()).for_each(|i| members.entry(group_of[i]).or_default().push(i));
    let number: BTreeMap<usize, usize> = members.keys().enumerate().map(|(n, &g)| (g, n)).collect();
    let each = members.iter().map(|(own, all)| {
        let ups = all.iter().flat_map(|&i| &inputs[i]).map(|&up| group_of[up]);
        let ups: BTreeSet<usize> = ups.filter(|g| g != own).map(|g| number[&g]).collect();
        Group {
            stages: all.clone(),
            inputs: ups.into_iter().collect(),
        }
    });
    each.collect()
}

/// What a stage and all above it look like, as a number.
fn shapes(stages: &[Drawn], inputs: &[Vec<usize>]) -> Vec<usize> {
    let mut known: BTreeMap<(String, Vec<usize>), usize> = BTreeMap::new();
    let mut shapes = vec![usize::MAX; stages.len()];
    // as often as the longest way is long, at most
    for _ in 0..stages.len() {
        let mut changed = false;
        for i in 0..stages.len() {
            let mut above: Vec<usize> = inputs[i].iter().map(|&u| shapes[u]).collect();
            above.sort_unstable();
            let fresh = known.len();
            let shape = *known.entry((kind(&stages[i].name), above)).or_insert(fresh);
            changed |= shapes[i] != shape;
            shapes[i] = shape;
        }
        if !changed {
            break;
        }
    }
    shapes
}

/// A stage's name without the file that it reads.
pub fn kind(name: &str) -> String {
    let Some((source, rest)) = name.split_once(" ► ") else {
        return name.to_string();
    };
    let source = if source.starts_with("scan ") {
        "scan"
    } else {
        source
    };
    format!("{source} ► {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(id: usize, name: &str, inputs: &[usize]) -> Drawn {
        Drawn {
            id,
            name: name.into(),
            inputs: inputs.to_vec(),
            ..Drawn::default()
        }
    }

    #[test]
    fn branches_that_look_alike_are_stacks() {
        let mut all = Vec::new();
        for i in 0..50 {
            all.push(stage(2 * i, &format!("scan {i}.csv ► aggregate"), &[]));
            all.push(stage(2 * i + 1, "merge groups ► keep", &[2 * i]));
        }
        let ids: Vec<usize> = (0..50).map(|i| 2 * i + 1).collect();
        all.push(stage(100, "scan x.csv ► build side", &[]));
        let readers: Vec<usize> = ids.iter().copied().chain([100]).collect();
        all.push(stage(101, "read in turn ► result", &readers));
        let groups = groups(&all);
        let sizes: Vec<usize> = groups.iter().map(|g| g.stages.len()).collect();
        assert_eq!(sizes, [50, 50, 1, 1]);
        assert_eq!((&groups[1].inputs, &groups[3].inputs), (&vec![0], &vec![1, 2]));
    }

    #[test]
    fn few_and_different_ones_stay() {
        let all = [
            stage(0, "scan a ► aggregate", &[]),
            stage(1, "scan b ► aggregate", &[]),
            stage(2, "x", &[0, 1]),
        ];
        assert_eq!(groups(&all).len(), 3);
        let chain: Vec<Drawn> = (0..40)
            .map(|i| stage(i, "read ► keep", if i == 0 { &[] } else { &[7] }))
            .collect();
        assert!(groups(&chain).len() >= 2);
    }
}
