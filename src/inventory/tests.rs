//! Inventories as a whole: sources, variables by layer, patterns.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::base::{Diagnostic, Help, Map, Node, Secret, Span, Value};
use crate::vault::{Secrets, encrypt};

/// A folder with files, and what is loaded from some of them.
struct Site(tempfile::TempDir);

impl Site {
    fn new(files: &[(&str, &str)]) -> Site {
        let site = Site(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            let path = site.0.path().join(name);
            fs::create_dir_all(path.parent().expect("has a folder")).expect("creates");
            fs::write(path, text).expect("writes");
        }
        site
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn load(&self, sources: &[&str]) -> Loaded {
        self.load_with(sources, &LoadContext::default())
    }

    fn load_with(&self, sources: &[&str], context: &LoadContext) -> Loaded {
        let sources: Vec<String> = sources.iter().map(|source| self.path(source)).collect();
        Inventory::load(&sources, context).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn ini(text: &str) -> Inventory {
    let loaded = Site::new(&[("hosts", text)]).load(&["hosts"]);
    assert!(loaded.is_parsed, "{:?}", loaded.warnings);
    loaded.inventory
}

/// Why a source was not read.
fn refusal(name: &str, text: &str) -> Diagnostic {
    let mut loaded = Site::new(&[(name, text)]).load(&[name]);
    assert!(!loaded.is_parsed, "{text}");
    assert_eq!(loaded.inventory.hosts().len(), 0, "nothing of a source that fails is kept");
    loaded.warnings.swap_remove(0)
}

fn names(names: &[std::sync::Arc<str>]) -> Vec<&str> {
    names.iter().map(AsRef::as_ref).collect()
}

fn matching(inventory: &Inventory, pattern: &str) -> String {
    names(&inventory.hosts_matching(pattern).unwrap_or_else(|error| panic!("{error}"))).join(" ")
}

fn variables(inventory: &Inventory, host: &str) -> Map {
    let mut merged = Map::new();
    for layer in inventory.layers(host, &[]).unwrap_or_else(|error| panic!("{error}")) {
        for (name, node) in layer.variables.iter() {
            merged.insert(name.clone(), node.to_value());
        }
    }
    merged
}

const SITE: &str = "\
mail.example
; a comment
[web]
web[01:03] http_port=80 tags=\"['a', 'b']\" # here
web1:2222 flag=yes
[db:children]
main
[main]
db-a
db-b
[db:vars]
engine = PostgreSQL 17
port=5432
[web:vars]
ansible_group_priority=10
";

#[test]
fn an_ini_inventory_is_read_with_its_values_typed_as_python() {
    let inventory = ini(SITE);
    assert_eq!(
        inventory.hosts().map(|host| host.name.as_ref()).collect::<Vec<_>>(),
        ["mail.example", "web01", "web02", "web03", "web1", "db-a", "db-b"]
    );
    let host = inventory.host("web01").expect("is there");
    assert_eq!(host.variables["http_port"].to_value(), Value::Int(80));
    assert_eq!(host.variables["tags"].to_value().to_repr(), "['a', 'b']");
    let span = &host.variables["http_port"].span;
    assert_eq!((span.line, span.column, span.length), (4, 22, 2));
    assert_eq!(inventory.host("web1").map(|host| host.variables["ansible_port"].to_value()), Some(Value::Int(2222)));
    assert_eq!(inventory.host("web1").map(|host| host.variables["flag"].to_value()), Some("yes".into()));
    let db = inventory.group("db").expect("is there");
    assert_eq!(db.variables["engine"].as_str(), Some("PostgreSQL 17"));
    assert_eq!((db.variables["port"].to_value(), db.variables["port"].span.column), (Value::Int(5432), 6));
    assert_eq!(names(&inventory.hosts_of("db")), ["db-a", "db-b"]);
    assert_eq!(names(&inventory.hosts_of("ungrouped")), ["mail.example"]);
    assert_eq!(inventory.group("web").map(|group| group.priority), Some(10));
    let groups: Vec<_> = inventory.groups_of("db-a").iter().map(|group| (group.name.to_string(), group.depth)).collect();
    assert_eq!(groups, [("all".to_owned(), 0), ("db".to_owned(), 1), ("main".to_owned(), 2)]);
}

#[test]
fn mistakes_in_ini_are_told_at_their_place() {
    for (text, line, column, message) in [
        ("[a b]\n", 1, 1, "is no section"),
        ("[a:varz]\nx=1\n", 1, 1, "unknown kind `varz`"),
        ("web1 80\n", 1, 6, "`key=value` is expected"),
        ("web1 a='x\n", 1, 1, "never closed"),
        ("[web:vars]\nx=1\n", 1, 1, "not declared"),
        ("[a:children]\n  wbe\n[web]\n", 2, 3, "names the group `wbe`, which is not declared"),
        ("[web:vars]\njust text\n[web]\n", 2, 1, "`key=value` is expected"),
        ("web[1:]\n", 1, 1, "has no end"),
        ("[g]\nweb:\n", 2, 1, "is no host name"),
        ("[a:children]\nb\n[b:children]\na\n", 4, 1, "already"),
    ] {
        let diagnostic = refusal("hosts", text);
        let span = diagnostic.span().expect("has a place");
        assert!(diagnostic.to_string().contains(message), "{diagnostic}");
        assert_eq!((span.line, span.column), (line, column), "{diagnostic}");
    }
    assert!(refusal("hosts", "[a:children]\nwbe\n[web]\n").help.contains(&Help::DidYouMean("web".into())));
}

#[test]
fn a_yaml_inventory_is_read_and_its_oddities_are_told() {
    let text = "all:\n  hosts:\n    lone:\n  children:\n    web:\n      hosts:\n        w[1:2]: {port: 80}\n      vars: {role: web}\n      host: x\n    db:\n      hosts: only\n";
    let loaded = Site::new(&[("site.yml", text)]).load(&["site.yml"]);
    let inventory = &loaded.inventory;
    assert_eq!(matching(inventory, "all"), "lone w1 w2 only");
    assert_eq!(inventory.host("w2").map(|host| host.variables["port"].span.line), Some(7));
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].help.contains(&Help::DidYouMean("hosts".into())), "{}", loaded.warnings[0]);
    for (text, line, column, message) in [
        ("all:\n  hosts:\n    - web1\n", 3, 5, "`hosts` of the group `all` is a mapping"),
        ("all:\n  hosts:\n    10:\n", 3, 5, "Host pattern 10 must be a string"),
        ("- web1\n", 1, 1, "is a mapping of groups"),
        ("all:\n  hosts:\n    web1: x\n", 3, 11, "the variables of the host `web1` are a mapping"),
        ("all:\n  hosts: {web1\n", 2, 10, "missing"),
    ] {
        let diagnostic = refusal("site.yml", text);
        assert!(diagnostic.to_string().contains(message), "{diagnostic}");
        assert!(diagnostic.labels.iter().any(|label| (label.span.line, label.span.column) == (line, column)), "{diagnostic:?}");
    }
}

#[test]
fn scripts_print_groups_and_are_asked_for_hosts_only_when_they_must() {
    let with_meta = "#!/bin/sh\n[ \"$1\" = --list ] || exit 9\necho '{\"web\": {\"hosts\": [\"w1\"], \"vars\": {\"a\": \"{{ b }}\"}, \"children\": [\"db\"]}, \"db\": [\"d1\"], \"_meta\": {\"hostvars\": {\"w1\": {\"x\": 1}}}}'\n";
    let without = "#!/bin/sh\nif [ \"$1\" = --host ]; then echo \"{\\\"me\\\": \\\"$2\\\"}\"; else echo '{\"g\": [\"h1\", \"h2\"]}'; fi\n";
    let failing = "#!/bin/sh\necho no such cloud >&2; exit 3\n";
    let site = Site::new(&[("a.sh", with_meta), ("b.sh", without), ("c.sh", failing)]);
    for name in ["a.sh", "b.sh", "c.sh"] {
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(0o755)).expect("sets the mode");
    }
    let loaded = site.load(&["a.sh", "b.sh", "c.sh"]);
    assert_eq!(matching(&loaded.inventory, "web"), "w1 d1");
    assert_eq!(variables(&loaded.inventory, "w1").get("x"), Some(&Value::Int(1)));
    assert!(loaded.inventory.group("web").is_some_and(|web| web.variables["a"].is_template()));
    assert_eq!(variables(&loaded.inventory, "h2").text("me"), Some("h2"));
    assert!(loaded.warnings[0].to_string().contains("no such cloud"), "{}", loaded.warnings[0]);
}

#[test]
fn lists_folders_and_what_is_not_there() {
    let site = Site::new(&[
        ("inv/b.yml", "all: {hosts: {b: }}"),
        ("inv/a", "a\n"),
        ("inv/x.cfg", "no\n"),
        ("inv/.hidden", "no\n"),
        ("inv/group_vars/all.yml", "v: 1"),
    ]);
    let inventory = site.load(&["inv"]).inventory;
    assert_eq!(matching(&inventory, "all"), "b a");
    assert_eq!(variables(&inventory, "b").get("v"), Some(&Value::Int(1)));
    assert_eq!(variables(&inventory, "b").text("inventory_dir"), Some(site.path("inv").as_str()));
    let list = Inventory::load(&["x, y:22 ,::1".into()], &LoadContext::default()).expect("loads").inventory;
    assert_eq!(matching(&list, "all"), "x y ::1");
    let loaded = site.load(&["no-such"]);
    assert!(!loaded.is_parsed);
    assert!(loaded.warnings[0].to_string().contains("-i no-such,"), "{}", loaded.warnings[0]);
    let strict = LoadContext { any_unparsed_is_failed: true, ..LoadContext::default() };
    assert!(Inventory::load(&[site.path("no-such")], &strict).is_err());
}

#[test]
fn layers_come_weakest_first_and_files_may_be_folders_or_encrypted() {
    let sealed = encrypt(b"secret: s3cret\n", &Secret::new("pw"), None).expect("encrypts");
    let site = Site::new(&[
        ("inv/hosts", "[web]\nw1 a=host\n[web:vars]\na=group\n[all:vars]\na=all\n"),
        ("inv/group_vars/all/10-first.yml", "a: all file\nb: first\n"),
        ("inv/group_vars/all/20-second", "b: second\n"),
        ("inv/group_vars/all/.swp", "broken: [\n"),
        ("inv/group_vars/web.yml", &sealed),
        ("inv/host_vars/w1.json", "{\"a\": \"host file\"}"),
        ("play/group_vars/web.yml", "a: play\n"),
        ("play/host_vars/w1", "c: play host\n"),
    ]);
    let mut secrets = Secrets::default();
    secrets.add("default", Secret::new("pw"));
    let inventory = site.load_with(&["inv/hosts"], &LoadContext { secrets, ..LoadContext::default() }).inventory;
    let layers = inventory.layers("w1", &[site.path("play").into()]).expect("reads");
    let kinds: Vec<_> = layers.iter().map(|layer| layer.kind).collect();
    use LayerKind::*;
    assert_eq!(
        kinds,
        [
            All,
            Groups,
            AllBesideInventory,
            AllBesideInventory,
            GroupsBesideInventory,
            GroupsBesidePlaybook,
            Host,
            HostBesideInventory,
            HostBesidePlaybook
        ]
    );
    assert!(layers[4].is_encrypted && !layers[5].is_encrypted);
    assert_eq!(variables(&inventory, "w1").text("a"), Some("host file"));
    assert_eq!(variables(&inventory, "w1").text("b"), Some("second"));
    assert_eq!(variables(&inventory, "w1").text("secret"), Some("s3cret"));
    let locked = site.load(&["inv/hosts"]).inventory;
    let error = locked.layers("w1", &[]).expect_err("stays closed");
    assert!(error.to_string().contains("web.yml:1:1") && error.to_string().contains("no vault secrets found"), "{error}");
    assert_eq!(locked.check_files(&[]).len(), 1);
}

#[test]
fn this_machine_is_there_without_being_named() {
    let inventory = ini("[all:vars]\nv=1\n");
    let host = inventory.host("localhost").expect("is implicit");
    assert!(host.is_implicit);
    assert_eq!(matching(&inventory, "all"), "");
    assert_eq!(matching(&inventory, "localhost"), "localhost");
    let merged = variables(&inventory, "localhost");
    assert_eq!((merged.text("ansible_connection"), merged.get("v")), (Some("local"), Some(&Value::Int(1))));
    let named = ini("127.0.0.1 ansible_connection=ssh\n");
    assert_eq!(matching(&named, "localhost"), "127.0.0.1");
}

#[test]
fn patterns_select_as_ansible_does() {
    let inventory = ini("[web]\nw1\nw2\nw3\n[db]\nd1\nw3\n[prod:children]\nweb\n[prod]\np.example\n");
    for (pattern, hosts) in [
        ("all", "d1 w3 p.example w1 w2"),
        ("web:db", "w1 w2 w3 d1"),
        ("web,db", "w1 w2 w3 d1"),
        ("web:&db", "w3"),
        ("web:!w2", "w1 w3"),
        ("!web", "d1 p.example"),
        ("w*", "w1 w2 w3"),
        ("w[!1]", "w2 w3"),
        ("~w[12]$|d", "d1 w3 w1 w2"),
        ("web[0]", "w1"),
        ("web[-1]", "w3"),
        ("web[1:]", "w2 w3"),
        ("web[0:1]", "w1 w2"),
        ("*.example", "p.example"),
        ("prod", "p.example w1 w2 w3"),
        ("w?[1]", "w2"),
    ] {
        assert_eq!(matching(&inventory, pattern), hosts, "{pattern}");
    }
    assert!(inventory.hosts_matching("web[3]").is_err());
    assert!(inventory.hosts_matching("~(").is_err());
}

#[test]
fn a_pattern_without_a_match_is_told_with_the_name_that_was_meant() {
    let inventory = ini("[webservers]\nw1\n");
    let selection = inventory.select(&["websevers"], None).expect("selects");
    assert_eq!(selection.hosts, []);
    assert_eq!(selection.unmatched[0].message, "Could not match supplied host pattern, ignoring: websevers");
    assert!(selection.unmatched[0].help.contains(&Help::DidYouMean("webservers".into())));
}

#[test]
fn a_limit_narrows_and_may_stand_in_a_file() {
    let site = Site::new(&[("limit", "w1\n\nw3\n")]);
    let inventory = ini("[web]\nw1\nw2\nw3\n");
    for (limit, hosts) in [("w2:w3", "w2 w3"), ("!w2", "w1 w3"), (&format!("@{}", site.path("limit")), "w1 w3")] {
        let limit = Limit::parse(limit).expect("is read");
        assert_eq!(names(&inventory.select(&["web"], Some(&limit)).expect("selects").hosts).join(" "), hosts);
    }
    assert!(Limit::parse("@/no/such").is_err());
    let refused = Limit::parse("@/").expect_err("is a folder");
    assert_eq!(refused.message, "Limit starting with \"@\" must be a file, not a directory: `/`");
}

#[test]
fn a_run_adds_hosts_and_groups() {
    let mut inventory = ini("w1\n");
    let span = Span::origin("<add_host>");
    let variables = Map::from_iter([("a", Value::Int(1))]);
    assert_eq!(inventory.add_dynamic_host("new", &["fresh".into()], &variables, &span), Ok(true));
    assert_eq!(inventory.add_dynamic_host("new", &["fresh".into()], &variables, &span), Ok(false));
    assert_eq!(matching(&inventory, "fresh"), "new");
    assert!(!inventory.host("new").is_some_and(|host| host.variables["a"].needs_rendering()));
    assert_eq!(inventory.add_dynamic_group("w1", "os_debian", &["os".into()], &span), Ok(true));
    assert_eq!(inventory.add_dynamic_group("w1", "os_debian", &["os".into()], &span), Ok(false));
    assert_eq!(names(&inventory.group_names("w1")), ["os", "os_debian"]);
    assert_eq!(matching(&inventory, "ungrouped"), "");
    assert!(inventory.add_dynamic_group("nobody", "g", &[], &span).is_err());
}

/// Stands in for the template engine: an expression is the name of a variable, a template `{{ name }}` too. Holds what `-e` gives.
#[derive(Default)]
struct Names(Variables);

impl Expressions for Names {
    fn evaluate(&self, expression: &str, origin: &Node, variables: &Variables) -> Result<Value, Diagnostic> {
        variables
            .get(expression)
            .map(Node::to_value)
            .ok_or_else(|| Diagnostic::error(format!("`{expression}` is undefined")).at(&origin.span))
    }

    fn render(&self, source: &Node, variables: &Variables) -> Result<Value, Diagnostic> {
        let mut text = source.to_value().to_text();
        for (name, value) in variables {
            text = text.replace(&format!("{{{{ {name} }}}}"), &value.to_value().to_text());
        }
        Ok(text.into())
    }

    fn extra_variables(&self) -> &Variables {
        &self.0
    }
}

#[test]
fn a_range_without_an_end_is_a_name_that_is_told_of() {
    let context = LoadContext { enabled: vec!["advanced_host_list".into()], ..LoadContext::default() };
    let load = |source: &str| Inventory::load(&[source.to_owned()], &context).expect("loads");
    let loaded = load("w[1:2],w[3:],");
    assert_eq!(matching(&loaded.inventory, "ungrouped"), "w1 w2 w[3:]");
    assert!(loaded.warnings[0].message.starts_with("Unable to parse address from hostname, leaving unchanged: "), "{:?}", loaded.warnings);
    assert!(load("w[1:j],").warnings[0].to_string().contains("Failed to parse inventory with 'advanced_host_list' plugin: "));
}

#[test]
fn a_plugin_file_that_asks_for_them_sees_the_variables_of_the_command_line() {
    let plugin = |asks: bool| format!("plugin: constructed\nuse_extra_vars: {asks}\ncompose: {{label: os, own: given}}\n");
    let site = Site::new(&[("1-hosts", "w1 os=debian\n"), ("asks.yml", &plugin(true)), ("asks_not.yml", &plugin(false))]);
    let given = |text: &str| Node::data(Span::origin("<-e>"), text.into());
    let names = Names([("os".into(), given("arch")), ("given".into(), given("yes"))].into_iter().collect());
    let context = LoadContext { expressions: Some(&names), ..LoadContext::default() };
    for (file, label, own) in [("asks.yml", "arch", Some("yes")), ("asks_not.yml", "debian", None)] {
        let loaded = site.load_with(&["1-hosts", file], &context);
        let found = variables(&loaded.inventory, "w1");
        assert_eq!((found.text("label"), found.text("own")), (Some(label), own), "{file}");
    }
}

#[test]
fn plugin_files_make_groups_of_what_hosts_have() {
    let site = Site::new(&[
        ("1-hosts", "w1 os=debian size='' up=True roles=\"['a', 'b']\"\nw2 os=arch up=False\n"),
        (
            "2-constructed.yml",
            "plugin: constructed\ncompose: {copy_of: os, gone: missing}\ngroups: {running: up}\nkeyed_groups:\n  - {key: os, prefix: os, parent_group: systems}\n  - {key: roles, separator: ''}\n  - {key: size, default_value: small, prefix: size}\n",
        ),
        (
            "3-generator.yml",
            "plugin: generator\nlayers: {env: [dev, prod], app: [web]}\nhosts:\n  name: '{{ app }}-{{ env }}'\n  parents:\n    - name: '{{ env }}'\n      vars: {stage: '{{ env }}'}\n      parents: [{name: stages}]\n",
        ),
    ]);
    let context = LoadContext { expressions: Some(&Names::default()), ..LoadContext::default() };
    let loaded = site.load_with(&["1-hosts", "2-constructed.yml", "3-generator.yml"], &context);
    let inventory = &loaded.inventory;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(variables(inventory, "w1").text("copy_of"), Some("debian"));
    for (group, hosts) in [
        ("running", "w1"),
        ("os_debian", "w1"),
        ("systems", "w1 w2"),
        ("a", "w1"),
        ("size_small", "w1"),
        ("stages", "web-dev web-prod"),
        ("prod", "web-prod"),
    ] {
        assert_eq!(matching(inventory, group), hosts, "{group}");
    }
    assert_eq!(inventory.group("dev").map(|group| group.variables["stage"].to_value()), Some("dev".into()));
    assert!(Path::new(&site.path("1-hosts")).exists());
    let strict = Site::new(&[("h", "w1\n"), ("c.yml", "plugin: constructed\nstrict: true\ncompose: {x: missing}\n")]);
    let loaded = strict.load_with(&["h", "c.yml"], &context);
    assert!(loaded.warnings[0].to_string().contains("could not set `x` for the host `w1`"), "{}", loaded.warnings[0]);
}
