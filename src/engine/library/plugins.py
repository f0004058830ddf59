"""Calls filters, tests and lookups."""


def function(kind, name):
    try:
        plugin = loaders[kind].get(name)
    except KeyError:
        return None
    return getattr(plugin, "j2_function", None)


def call(asked):
    kind, name, arguments, named = asked["kind"], asked["name"], asked["arguments"], asked["named"]
    warnings.clear()
    if kind == "lookup":
        data = DataLoader()
        data.set_basedir(settings["folder"])
        variables = Variables()
        lookup = loaders[kind].get(name, loader=data, templar=Templar(loader=data, variables=variables))
        if lookup is None:
            return {"missing": warnings}
        return {"value": list(lookup.run(arguments, variables=variables, **named))}
    called = function(kind, name)
    if called is None:
        return {"missing": warnings}
    wanted = getattr(called, "jinja_pass_arg", None)
    if wanted is not None:
        arguments = [Templar(loader=DataLoader(), variables={}).environment] + arguments
    value = called(*arguments, **named)
    return {"value": bool(value) if kind == "test" else value}


serve(call)
