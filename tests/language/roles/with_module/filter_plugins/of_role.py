class FilterModule:
    def filters(self):
        return {"whisper": lambda value: value.lower()}
