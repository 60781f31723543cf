//! How much work a JSON Schema can make of a value: known before the work begins.
//!
//! A validator tries every branch of a schema at every place of a value. References let branches multiply: thirty
//! definitions that each refer twice to the next are a billion steps, for any value. And a schema that refers to
//! itself in two branches doubles its work with every level of the value. So the steps are counted here, from
//! the schema alone, as a function of how deep a value is.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use serde_json::{Map, Value};

/// The deepest value that JSON text can give: `serde_json` refuses more.
const MAX_DEPTH: usize = 128;

/// The steps that one check may take: a few seconds at worst.
const MAX_STEPS: u64 = 500_000_000;

/// How many subschemas may be at work inside one another: what fits on the stack of a thread several times over.
const MAX_STACK: u64 = 1_000;

/// More subschemas than any contract has; compiling them takes about a second.
const MAX_SUBSCHEMAS: usize = 20_000;

/// The steps that one place of a value can cost, by the depth of the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effort {
    by_depth: Vec<u64>,
}

impl Effort {
    /// Whether a check of this value will end in reasonable time.
    pub(super) fn allows(&self, value: &Value) -> bool {
        let (places, depth) = size(value);
        self.by_depth.get(depth).is_some_and(|steps| steps.saturating_mul(places) <= MAX_STEPS)
    }
}

/// How many values there are in a value, itself included, and how deep they are nested.
fn size(value: &Value) -> (u64, usize) {
    let sum = |(places, depth): (u64, usize), inner: &Value| {
        let (more, deeper) = size(inner);
        (places + more, depth.max(deeper + 1))
    };
    match value {
        Value::Array(items) => items.iter().fold((1, 0), sum),
        Value::Object(map) => map.values().fold((1, 0), sum),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (1, 0),
    }
}

/// Why the steps of a schema could not be counted, or are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// It refers to something outside.
    Outside(String),
    /// It refers to something that is not there.
    Dangling(String),
    /// It gives a part of itself a name of its own, so that references in there mean something else.
    NestedId(String),
    /// It comes back to itself without having gone into the value.
    Loop,
    /// Not even a small value could be checked.
    TooMuch,
    /// It has too many parts.
    TooLarge,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(reference) => {
                write!(
                    f,
                    "reference {reference:?} leads outside: only references into this schema are followed"
                )
            }
            Self::Dangling(reference) => write!(f, "reference {reference:?} leads nowhere"),
            Self::NestedId(id) => write!(f, "a part of the schema has an $id of its own: {id:?}"),
            Self::Loop => f.write_str("the schema refers to itself without going deeper into the value"),
            Self::TooMuch => f.write_str("the schema branches too much to be checked"),
            Self::TooLarge => write!(f, "the schema has more than {MAX_SUBSCHEMAS} parts"),
        }
    }
}

/// Counts the steps of a schema.
pub(super) fn of(schema: &Value) -> Result<Effort, Refused> {
    let graph = Graph::of(schema)?;
    let order = graph.inner_first()?;
    let mut by_depth = Vec::with_capacity(MAX_DEPTH + 1);
    let mut shallower = vec![Cost::default(); graph.nodes.len()];
    for _ in 0..=MAX_DEPTH {
        let mut costs = vec![Cost::default(); graph.nodes.len()];
        for &node in &order {
            let Node { here, below } = &graph.nodes[node];
            let mut cost = Cost { steps: 1, stack: 0 };
            for &other in here {
                cost = cost.and(costs[other]);
            }
            for group in below {
                let worst = group.iter().map(|&other| shallower[other]).fold(Cost::default(), Cost::or);
                cost = cost.and(worst);
            }
            costs[node] = Cost { stack: cost.stack.saturating_add(1), ..cost };
        }
        let Cost { steps, stack } = costs[ROOT];
        by_depth.push(if stack > MAX_STACK { u64::MAX } else { steps });
        shallower = costs;
    }
    // One level, as every object has.
    if by_depth[1] > MAX_STEPS { Err(Refused::TooMuch) } else { Ok(Effort { by_depth }) }
}

#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    steps: u64,
    stack: u64,
}

impl Cost {
    /// Both are done, one after the other.
    fn and(self, other: Self) -> Self {
        Self { steps: self.steps.saturating_add(other.steps), stack: self.stack.max(other.stack) }
    }

    /// One of them is done, whichever is worse.
    fn or(self, other: Self) -> Self {
        Self { steps: self.steps.max(other.steps), stack: self.stack.max(other.stack) }
    }
}

const ROOT: usize = 0;

/// A schema's parts, and which of them a validator goes on to from each.
struct Graph {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    /// Those that look at the same place of the value: all of them may.
    here: Vec<usize>,
    /// Those that look at a place inside it: of each group, only one looks at any one place.
    below: Vec<Vec<usize>>,
}

impl Graph {
    fn of(schema: &Value) -> Result<Self, Refused> {
        let mut walk =
            Walk { root: schema, parts: Vec::new(), numbers: HashMap::new(), anchors: HashMap::new() };
        walk.number(schema);
        let mut nodes = Vec::new();
        // References to anchors wait until all anchors are known.
        let mut waiting = Vec::new();
        while let Some(&part) = walk.parts.get(nodes.len()) {
            if walk.parts.len() > MAX_SUBSCHEMAS {
                return Err(Refused::TooLarge);
            }
            nodes.push(walk.visit(nodes.len(), part, &mut waiting)?);
        }
        for (node, anchor) in waiting {
            let targets = walk.anchors.get(anchor).ok_or_else(|| Refused::Dangling(anchor.to_owned()))?;
            nodes[node].here.extend(targets);
        }
        Ok(Self { nodes })
    }

    /// The parts in such an order that whatever looks at the same place comes before what leads to it.
    fn inner_first(&self) -> Result<Vec<usize>, Refused> {
        let mut users = vec![Vec::new(); self.nodes.len()];
        let mut open: Vec<usize> = self.nodes.iter().map(|node| node.here.len()).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            node.here.iter().for_each(|&inner| users[inner].push(number));
        }
        let mut ready: VecDeque<usize> = (0..open.len()).filter(|&number| open[number] == 0).collect();
        let mut order = Vec::with_capacity(open.len());
        while let Some(number) = ready.pop_front() {
            order.push(number);
            for &user in &users[number] {
                open[user] -= 1;
                if open[user] == 0 {
                    ready.push_back(user);
                }
            }
        }
        if order.len() == open.len() { Ok(order) } else { Err(Refused::Loop) }
    }
}

/// All recursive anchors share one name, since a recursive reference can lead to any of them. No anchor can be
/// called this: it is no name.
const RECURSIVE: &str = "#$recursiveAnchor";

struct Walk<'a> {
    root: &'a Value,
    parts: Vec<&'a Value>,
    /// A part is known by its address: all of them live in the one document.
    numbers: HashMap<*const Value, usize>,
    anchors: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Walk<'a> {
    fn number(&mut self, part: &'a Value) -> usize {
        *self.numbers.entry(std::ptr::from_ref(part)).or_insert_with(|| {
            self.parts.push(part);
            self.parts.len() - 1
        })
    }

    fn numbers(&mut self, parts: impl IntoIterator<Item = &'a Value>) -> Vec<usize> {
        parts
            .into_iter()
            .filter(|part| part.is_object() || part.is_boolean())
            .map(|part| self.number(part))
            .collect()
    }

    fn visit(
        &mut self,
        number: usize,
        part: &'a Value,
        waiting: &mut Vec<(usize, &'a str)>,
    ) -> Result<Node, Refused> {
        let Some(schema) = part.as_object() else { return Ok(Node::default()) };
        self.note_names(number, schema)?;
        let mut node = Node::default();
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let Some(reference) = schema.get(keyword).and_then(Value::as_str) else { continue };
            let fragment = self.fragment(reference)?;
            if keyword == "$recursiveRef" && self.recursive_anchors() {
                waiting.push((number, RECURSIVE));
            }
            if fragment.is_empty() || fragment.starts_with('/') {
                let target =
                    pointed(self.root, fragment).ok_or_else(|| Refused::Dangling(reference.to_owned()))?;
                node.here.push(self.number(target));
            } else {
                waiting.push((number, fragment));
            }
        }
        for keyword in ["not", "if", "then", "else", "allOf", "anyOf", "oneOf"] {
            let parts = self.numbers(one_or_many(schema.get(keyword)));
            node.here.extend(parts);
        }
        for keyword in ["dependentSchemas", "dependencies"] {
            let parts = self.numbers(members(schema.get(keyword)));
            node.here.extend(parts);
        }
        // A property that has a schema of its own is not an additional one; the same with items.
        let properties = members(schema.get("properties")).chain(schema.get("additionalProperties"));
        node.below.push(self.numbers(properties));
        let items = ["items", "prefixItems", "additionalItems"];
        let items: Vec<&Value> = items.iter().flat_map(|keyword| one_or_many(schema.get(*keyword))).collect();
        node.below.push(self.numbers(items));
        for keyword in ["contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties"] {
            node.below.push(self.numbers(schema.get(keyword)));
        }
        for pattern in members(schema.get("patternProperties")) {
            node.below.push(self.numbers([pattern]));
        }
        for keyword in ["$defs", "definitions"] {
            self.numbers(members(schema.get(keyword)));
        }
        Ok(node)
    }

    fn note_names(&mut self, number: usize, schema: &'a Map<String, Value>) -> Result<(), Refused> {
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(anchor) = schema.get(keyword).and_then(Value::as_str) {
                self.anchors.entry(anchor).or_default().push(number);
            }
        }
        if schema.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
            self.anchors.entry(RECURSIVE).or_default().push(number);
        }
        let Some(id) = schema.get("$id").and_then(Value::as_str) else { return Ok(()) };
        match id.strip_prefix('#') {
            // How drafts 6 and 7 write an anchor.
            Some(anchor) => self.anchors.entry(anchor).or_default().push(number),
            None if number == ROOT => {}
            None => return Err(Refused::NestedId(id.to_owned())),
        }
        Ok(())
    }

    fn recursive_anchors(&self) -> bool {
        self.root.get("$recursiveAnchor").is_some() || self.anchors.contains_key(RECURSIVE)
    }

    /// What a reference names inside the schema.
    fn fragment(&self, reference: &'a str) -> Result<&'a str, Refused> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let own = self.root.get("$id").and_then(Value::as_str).unwrap_or_default();
        if document.is_empty() || document == own.trim_end_matches('#') {
            Ok(fragment)
        } else {
            Err(Refused::Outside(reference.to_owned()))
        }
    }
}

fn one_or_many(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (one, many) = match value {
        Some(Value::Array(many)) => (None, many.as_slice()),
        one => (one, [].as_slice()),
    };
    one.into_iter().chain(many)
}

fn members(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::values)
}

/// The part that a JSON pointer in the fragment of a URI names.
fn pointed<'a>(root: &'a Value, fragment: &str) -> Option<&'a Value> {
    root.pointer(&percent_decoded(fragment)?)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a test reads better with the literals in place")]
    fn steps(schema: Value, depth: usize) -> Result<u64, Refused> {
        of(&schema).map(|effort| effort.by_depth[depth])
    }

    #[test]
    fn every_part_that_looks_at_a_place_is_a_step() {
        assert_eq!(steps(json!(true), 5), Ok(1));
        assert_eq!(steps(json!({"allOf": [{}, true], "not": {"type": "string"}}), 0), Ok(4));
        let object = json!({"properties": {"a": {"$ref": "#/$defs/x"}, "b": {}}, "$defs": {"x": {}}});
        assert_eq!((steps(object.clone(), 0), steps(object, 9)), (Ok(1), Ok(3)));
    }

    #[test]
    fn a_tree_costs_its_depth_and_two_branches_double_it() {
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        assert_eq!((steps(tree.clone(), 0), steps(tree, 100)), (Ok(1), Ok(201)));
        let twice = json!({"properties": {"x": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
        assert_eq!((steps(twice.clone(), 1), steps(twice, 128)), (Ok(6), Ok(u64::MAX)));
    }

    #[test]
    fn what_leads_outside_or_nowhere_or_in_circles_is_refused() {
        let refused = |schema| of(&schema).map(drop).unwrap_err();
        let outside = "https://example.com/x";
        assert_eq!(refused(json!({"$ref": outside})), Refused::Outside(outside.into()));
        assert_eq!(refused(json!({"$ref": "#/$defs/x"})), Refused::Dangling("#/$defs/x".into()));
        assert_eq!(refused(json!({"$ref": "#x"})), Refused::Dangling("x".into()));
        assert_eq!(refused(json!({"properties": {"a": {"$id": "b"}}})), Refused::NestedId("b".into()));
        for circle in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"not": {"$ref": "#"}}]}),
            json!({"$dynamicAnchor": "n", "if": {"$dynamicRef": "#n"}}),
            json!({"$recursiveAnchor": true, "oneOf": [{"$recursiveRef": "#"}]}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        ] {
            assert_eq!(refused(circle), Refused::Loop);
        }
        let parts: Vec<Value> = vec![json!({}); MAX_SUBSCHEMAS];
        assert_eq!(refused(json!({"allOf": parts})), Refused::TooLarge);
    }

    #[test]
    fn references_are_found_by_pointer_anchor_and_own_name() {
        for reference in ["#/$defs/a%20b~1c", "#n", "https://example.com/own#n", "#m"] {
            let schema = json!({
                "$id": "https://example.com/own", "properties": {"x": {"$ref": reference}},
                "$defs": {"a b/c": {"$anchor": "n", "$dynamicAnchor": "m", "not": {}}},
            });
            assert_eq!(steps(schema, 1), Ok(4), "{reference}");
        }
    }

    #[test]
    fn thirty_doubling_definitions_are_too_much() {
        let mut definitions = Map::new();
        for number in 0..30 {
            let next = json!({"$ref": format!("#/$defs/{}", number + 1)});
            definitions.insert(number.to_string(), json!({"allOf": [next, next]}));
        }
        definitions.insert("30".into(), json!({}));
        let schema = json!({"$defs": definitions, "$ref": "#/$defs/0"});
        assert_eq!(of(&schema), Err(Refused::TooMuch));
    }
}
