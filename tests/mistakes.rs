//! What is wrong with a playbook is told before any host is touched: at its place, with what was probably meant. And what is only unusual is not.

use std::path::Path;
use std::process::Command;

/// Writes a project, checks its `site.yml`, and gives the exit code with what was said.
fn check(files: &[(&str, &str)]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    run(folder.path())
}

fn run(folder: &Path) -> (i32, String) {
    run_with(folder, &[])
}

fn run_with(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hostler"))
        .args(["run", "site.yml", "-i", "nowhere.invalid,", "--syntax-check"])
        .args(arguments)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder)
        .env("XDG_DATA_HOME", folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), said)
}

const PLAY: &str = "- hosts: all\n  vars: {greeting: hello}\n  tasks:\n";

fn tasks(text: &str) -> String {
    format!("{PLAY}{text}")
}

#[test]
fn a_misspelled_variable_is_refused_at_its_place_with_the_one_that_was_meant() {
    let (code, said) =
        check(&[("site.yml", &tasks("    - ansible.builtin.copy:\n        content: \"say {{ greting }}\"\n        dest: /tmp/x\n"))]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("error: `greting` is undefined\n --> site.yml:5:26"), "{said}");
    assert!(said.contains("did you mean `greeting`?"), "{said}");
}

#[test]
fn text_that_is_no_option_is_refused_where_nobody_takes_it() {
    let (code, said) = check(&[("site.yml", &tasks("    - apt: name=x oops\n"))]);
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains("error: `oops` of `apt` is no option: free-form arguments are written `option=value`\n --> site.yml:4:12"),
        "{said}"
    );
}

#[test]
fn a_misspelled_variable_is_found_inside_a_template_file() {
    let site = tasks("    - ansible.builtin.template:\n        src: page.j2\n        dest: /tmp/x\n");
    let (code, said) = check(&[("site.yml", &site), ("templates/page.j2", "first\n  {{ greting }}\n")]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains(" --> templates/page.j2:2:6"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_refused_with_the_one_that_was_meant() {
    let site = tasks("    - ansible.builtin.copy:\n        src: mottd\n        dest: /etc/motd\n");
    let (code, said) = check(&[("site.yml", &site), ("files/motd", "x")]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("error: there is no file `mottd`\n --> site.yml:5:14") && said.contains("did you mean `motd`?"), "{said}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let site = tasks(
        "    - ansible.builtin.copy: {src: nothing, dest: /tmp/x}\n    - ansible.builtin.command: echo {{ first }}\n    - ansible.builtin.command: echo {{ second }}\n",
    );
    let (code, said) = check(&[("site.yml", &site)]);
    assert_eq!(code, 4, "{said}");
    for mistake in ["`first` is undefined", "`second` is undefined", "there is no file `nothing`"] {
        assert!(said.contains(mistake), "{mistake}: {said}");
    }
}

#[test]
fn an_unknown_module_hides_no_other_mistake_and_all_are_counted() {
    let site = tasks(
        "    - nosuchmodule: {a: 1}\n    - ansible.builtin.command: echo {{ first }}\n      args: {chdir: /tmp}\n    - ansible.builtin.include_tasks: gone.yml\n    - ansible.builtin.file: {path: /tmp/x, mode: 644}\n",
    );
    let (code, said) = check(&[("site.yml", &site)]);
    assert_eq!(code, 4, "{said}");
    for mistake in ["'nosuchmodule'", "`first` is undefined", "there is no file `gone.yml`", "3 errors, 1 warning. No host was touched."] {
        assert!(said.contains(mistake), "{mistake}: {said}");
    }
}

/// A vault file or text of the password `right`; the project's own password file says `wrong`.
fn sealed(folder: &Path, arguments: &[&str]) -> String {
    std::fs::write(folder.join("right"), "right").unwrap();
    std::fs::write(folder.join("wrong"), "wrong").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hostler"))
        .args(["vault", arguments[0], "--vault-password-file", "right"])
        .args(&arguments[1..])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_wrong_vault_password_is_told_before_any_host_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let text = sealed(folder.path(), &["encrypt_string", "--name", "inline", "secret"]).replace('\n', "\n    ");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir_all(folder.path().join("group_vars")).unwrap();
    let files = ["group_vars/all.yml", "given.yml", "included.yml"];
    for file in files {
        write(file, "of_file: secret\n");
        sealed(folder.path(), &["encrypt", file]);
    }
    write(
        "site.yml",
        &format!(
            "- hosts: all\n  vars_files: [given.yml]\n  vars:\n    {text}\n  tasks:\n    - ansible.builtin.command: touch /tmp/x\n    - ansible.builtin.include_vars: included.yml\n    - ansible.builtin.command: echo {{{{ inline }}}}\n"
        ),
    );
    let (code, said) = run_with(folder.path(), &["--vault-password-file", "wrong"]);
    assert_eq!(code, 1, "{said}");
    for file in files {
        assert!(said.contains(&format!("{file}:1:1")), "{file}: {said}");
    }
    let (code, _) = run_with(folder.path(), &["--vault-password-file", "right"]);
    assert_eq!(code, 0, "with the right one it passes");

    std::fs::remove_file(folder.path().join("group_vars/all.yml")).unwrap();
    write("site.yml", &format!("- hosts: all\n  vars:\n    {text}\n  tasks:\n    - ansible.builtin.command: echo {{{{ inline }}}}\n"));
    let (code, said) = run_with(folder.path(), &["--vault-password-file", "wrong"]);
    assert!(code == 4 && said.contains(" --> site.yml:3:20"), "{said}");
}

#[test]
fn a_condition_about_the_inventory_makes_no_mistake_uncertain() {
    let site = |group: &str| {
        tasks(&format!(
            "    - when: \"'{group}' in group_names\"\n      block:\n        - ansible.builtin.apt: {{pakage: x}}\n        - ansible.builtin.command: echo {{{{ greting }}}}\n"
        ))
    };
    let (code, said) = check(&[("site.yml", &site("ungrouped"))]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("no option `pakage`") && said.contains("`greting` is undefined") && said.contains("2 errors"), "{said}");
    let (code, said) = check(&[("site.yml", &site("nobody"))]);
    assert_eq!(code, 0, "what no host does is only warned of: {said}");
}

#[test]
fn what_may_be_defined_or_may_not_run_is_let_pass() {
    let passes = [
        // Guarded, or in a branch.
        "    - ansible.builtin.command: echo {{ a | default('x') }} {{ b.c | default('y') }} {{ 'z' if d is defined else e }}\n",
        // May not run, or may fail.
        "    - ansible.builtin.command: echo {{ a }}\n      when: b\n",
        "    - ansible.builtin.command: echo {{ a }}\n      ignore_errors: true\n",
        "    - block:\n        - ansible.builtin.command: echo {{ a }}\n      rescue:\n        - ansible.builtin.command: echo {{ c }}\n",
        "    - ansible.builtin.command: echo {{ a }}\n      tags: never\n",
        // Comes from elsewhere.
        "    - ansible.builtin.command: echo a\n      register: a\n    - ansible.builtin.command: echo {{ a.stdout }}\n",
        "    - ansible.builtin.set_fact: {a: 1}\n    - ansible.builtin.command: echo {{ a }}\n",
        "    - ansible.builtin.include_vars: \"{{ greeting }}.yml\"\n    - ansible.builtin.command: echo {{ a }}\n",
        "    - ansible.builtin.include_tasks: more.yml\n    - ansible.builtin.command: echo {{ a }} {{ b }}\n",
        "    - ansible.builtin.command: echo {{ item.x }} {{ ansible_facts.os_family }} {{ inventory_hostname }}\n      loop: [{x: 1}]\n",
        "    - ansible.builtin.command: echo {{ each }} {{ at }}\n      loop: [1]\n      loop_control: {loop_var: each, index_var: at}\n",
        // A run that works here too may make the file on its way.
        "    - ansible.builtin.command: touch files/made\n      delegate_to: localhost\n    - ansible.builtin.copy: {src: made, dest: /tmp/x}\n",
        "    - block:\n        - ansible.builtin.command: touch files/made\n          delegate_to: localhost\n      rescue: [{debug: {}}]\n    - ansible.builtin.copy: {src: made, dest: /tmp/x}\n",
        "    - ansible.builtin.copy: {src: on_the_host, dest: /tmp/x, remote_src: true}\n",
    ];
    for text in passes {
        let more = "- ansible.builtin.set_fact:\n    a: 1\n- ansible.builtin.command: \"true\"\n  register: b\n";
        let (code, said) = check(&[("site.yml", &tasks(text)), ("more.yml", more)]);
        assert_eq!(code, 0, "{text}{said}");
    }
}

#[test]
fn variables_of_roles_inventories_and_files_are_known() {
    let site = "- hosts: all\n  vars_files: [more.yml]\n  roles: [{role: web, given: 1}]\n  tasks:\n    - ansible.builtin.command: echo {{ of_file }} {{ of_all }} {{ of_host }}\n";
    let role = "- ansible.builtin.command: echo {{ of_defaults }} {{ given }}\n";
    let files = [
        ("site.yml", site),
        ("more.yml", "of_file: 1\n"),
        ("group_vars/all.yml", "of_all: 1\n"),
        ("host_vars/nowhere.invalid.yml", "of_host: 1\n"),
        ("roles/web/tasks/main.yml", role),
        ("roles/web/defaults/main.yml", "of_defaults: 1\n"),
    ];
    let (code, said) = check(&files);
    assert_eq!(code, 0, "{said}");
}
