class FilterModule:
    def filters(self):
        return {"backwards": lambda value: value[::-1]}
