"""The pages people use: each module holds the handlers of one part, and the types of what its pages show."""
