//! Which module of a crate uses which, as it stands in the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::{
    Attribute, File, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

/// A module by its path in the crate; the root is empty.
pub(crate) type Module = Vec<String>;

/// The modules of a crate, each with its source.
pub(crate) fn sources(krate: &str) -> BTreeMap<Module, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(krate).join("src");
    let mut found = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(&root).unwrap().with_extension("");
            let mut module: Module = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            if module == ["lib"] || module == ["main"] {
                module.clear();
            }
            found.insert(module, fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// The cycles among modules, parent and child aside: each as the modules that can reach each other.
pub(crate) fn cycles(sources: &BTreeMap<Module, String>) -> Vec<Vec<String>> {
    let mut files: BTreeMap<&Module, File> =
        sources.iter().map(|(module, source)| (module, syn::parse_file(source).unwrap())).collect();
    let tests: BTreeSet<Module> =
        files.iter().flat_map(|(module, file)| test_modules(module, file)).collect();
    files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
    let reexports: BTreeMap<&Module, Names> =
        files.iter().map(|(module, file)| (*module, Names::of(module, file, true))).collect();
    let tree = Tree { modules: files.keys().copied().collect(), reexports };
    let uses: BTreeMap<&Module, BTreeSet<&Module>> = files
        .iter()
        .map(|(module, file)| {
            let mut walk = Walk { module, names: Names::of(module, file, false), paths: Vec::new() };
            walk.visit_file(file);
            let used = walk.paths.iter().filter_map(|path| tree.home(path));
            (*module, used.filter(|used| !are_related(used, module)).collect())
        })
        .collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        uses.keys().map(|module| (*module, reachable(&uses, module))).collect();
    let mut groups = BTreeSet::new();
    for (module, reaches) in &reached {
        let group: BTreeSet<String> = reaches
            .iter()
            .filter(|other| reached[*other].contains(module))
            .map(|other| other.join("::"))
            .collect();
        if !group.is_empty() {
            groups.insert(group);
        }
    }
    groups.into_iter().map(|group| group.into_iter().collect()).collect()
}

fn reachable<'m>(uses: &BTreeMap<&'m Module, BTreeSet<&'m Module>>, from: &Module) -> BTreeSet<&'m Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = uses[from].iter().copied().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(uses[module].iter().copied());
        }
    }
    found
}

/// Parent and child may know each other, and every module its crate's root.
fn are_related(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// What names stand for in a module: paths from the crate's root.
struct Names(BTreeMap<String, Vec<String>>);

impl Names {
    /// The names that the uses of a file bring in: all, or those that others can see.
    fn of(module: &Module, file: &File, public: bool) -> Self {
        let mut names = BTreeMap::new();
        for item in &file.items {
            if let Item::Use(item) = item
                && (!public || !matches!(item.vis, Visibility::Inherited))
                && !is_test(&item.attrs)
            {
                for (name, path) in leaves(&item.tree) {
                    if let Some(path) = absolute(module, &path, file) {
                        names.insert(name, path);
                    }
                }
            }
        }
        Self(names)
    }
}

/// The modules, and what each hands on of others.
struct Tree<'m> {
    modules: BTreeSet<&'m Module>,
    reexports: BTreeMap<&'m Module, Names>,
}

impl<'m> Tree<'m> {
    /// The module in which a path ends, seen through re-exports.
    fn home(&self, path: &[String]) -> Option<&'m Module> {
        let mut path = path.to_vec();
        // A chain of re-exports is never that long.
        for _ in 0..10 {
            let length =
                (0..=path.len()).rev().find(|length| self.modules.contains(&path[..*length].to_vec()))?;
            let module = *self.modules.get(&path[..length].to_vec())?;
            let Some(on) = path.get(length).and_then(|name| self.reexports[module].0.get(name)) else {
                return Some(module);
            };
            path = on.iter().chain(&path[length + 1..]).cloned().collect();
        }
        None
    }
}

/// Collects the paths that code of a module names, from the crate's root.
struct Walk<'m> {
    module: &'m Module,
    names: Names,
    paths: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            self.paths
                .extend(leaves(&item.tree).into_iter().filter_map(|(_, path)| from_root(self.module, &path)));
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let named: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(path) = from_root(self.module, &named) {
            self.paths.push(path);
        } else if let Some(start) = named.first().and_then(|first| self.names.0.get(first)) {
            self.paths.push(start.iter().chain(&named[1..]).cloned().collect());
        }
        visit::visit_path(self, path);
    }
}

/// The modules in files of their own that are there for tests only.
fn test_modules(module: &Module, file: &File) -> Vec<Module> {
    let test = |item: &Item| match item {
        Item::Mod(item) if is_test(&item.attrs) => Some([&module[..], &[item.ident.to_string()]].concat()),
        _ => None,
    };
    file.items.iter().filter_map(test).collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// The names that a use brings in, each with the path it stands for.
fn leaves(tree: &UseTree) -> Vec<(String, Vec<String>)> {
    fn walk(tree: &UseTree, before: &[String], found: &mut Vec<(String, Vec<String>)>) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => walk(&path.tree, &with(&path.ident), found),
            UseTree::Name(name) if name.ident == "self" => {
                found.extend(before.last().map(|last| (last.clone(), before.to_vec())));
            }
            UseTree::Name(name) => found.push((name.ident.to_string(), with(&name.ident))),
            UseTree::Rename(rename) => found.push((rename.rename.to_string(), with(&rename.ident))),
            UseTree::Glob(_) => found.push(("*".to_owned(), before.to_vec())),
            UseTree::Group(group) => group.items.iter().for_each(|item| walk(item, before, found)),
        }
    }
    let mut found = Vec::new();
    walk(tree, &[], &mut found);
    found
}

/// A path that begins with `crate`, `self` or `super`, from the crate's root.
fn from_root(module: &Module, path: &[String]) -> Option<Vec<String>> {
    let (first, mut rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.clone(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        _ => return None,
    };
    while let Some((first, after)) = rest.split_first().filter(|(first, _)| *first == "super") {
        debug_assert_eq!(first, "super");
        base.pop()?;
        rest = after;
    }
    Some(base.into_iter().chain(rest.iter().cloned()).collect())
}

/// The same, also for a path that begins with a child of the module.
fn absolute(module: &Module, path: &[String], file: &File) -> Option<Vec<String>> {
    from_root(module, path).or_else(|| {
        let is_child = file.items.iter().any(|item| match item {
            Item::Mod(item) => path.first().is_some_and(|first| item.ident == first),
            _ => false,
        });
        is_child.then(|| module.iter().chain(path).cloned().collect())
    })
}
