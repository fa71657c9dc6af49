import ArgumentParser

/// A command that can be told what to do without the argument parser.
///
/// Scripts call `xsfs read KEY` thousands of times: to look at all commands and their options, as
/// the parser does, takes longer than everything else together. So what has no option is taken
/// apart here, and everything else there, which knows the same commands.
protocol FastPathCommand: StoreCommand {
    /// - Parameter operands: at least one, none of which begins with a dash.
    init(operands: [String])
}

/// Finds the command that plain arguments mean.
enum FastPath {
    // No dictionary: for its type the runtime would look through all conformances of the program.
    private static func type(_ name: String) -> (any FastPathCommand.Type)? {
        switch name {
        case "read": ReadCommand.self
        case "write": WriteCommand.self
        case "list": ListCommand.self
        case "mkdir": MakeCommand.self
        case "rm": RemoveCommand.self
        case "exists": ExistsCommand.self
        case "perms": PermissionsCommand.self
        default: nil
        }
    }

    /// - Returns: nil where the argument parser is to say what is meant, or what is wrong.
    static func command(of arguments: [String]) -> (any StoreCommand)? {
        guard arguments.count > 1, let type = type(arguments[0]),
            !arguments.contains(where: { $0.hasPrefix("-") })
        else { return nil }
        var command = type.init(operands: Array(arguments.dropFirst()))
        // The parser says it better.
        return (try? command.validate()) == nil ? nil : command
    }
}

extension StorePlace {
    /// The store that is found where none is named.
    static var found: StorePlace {
        var place = StorePlace()
        place.socket = nil
        place.device = nil
        place.prefersSocket = false
        return place
    }
}

extension ReadCommand: FastPathCommand {
    init(operands: [String]) {
        self.init()
        (prefix, raw, json, place, keys) = (false, false, false, .found, operands.map(keyNamed))
    }
}

extension WriteCommand: FastPathCommand {
    init(operands: [String]) {
        self.init()
        (raw, stdin, place, arguments) = (false, false, .found, operands)
    }
}

extension ListCommand: FastPathCommand {
    init(operands: [String]) {
        self.init()
        (prefix, json, place, keys) = (false, false, .found, operands.map(keyNamed))
    }
}

extension MakeCommand: FastPathCommand {
    init(operands: [String]) {
        self.init()
        (place, keys) = (.found, operands.map(keyNamed))
    }
}

extension RemoveCommand: FastPathCommand {
    init(operands: [String]) {
        self.init()
        (tidy, place, keys) = (false, .found, operands.map(keyNamed))
    }
}

extension ExistsCommand: FastPathCommand {
    init(operands: [String]) {
        self.init()
        (json, place, keys) = (false, .found, operands.map(keyNamed))
    }
}

extension PermissionsCommand: FastPathCommand {
    init(operands: [String]) {
        self.init()
        (prefix, json, place, keys) = (false, false, .found, operands.map(keyNamed))
    }
}
