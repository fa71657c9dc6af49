import Glibc

/// What the first word of the arguments is that is no option: a command, a mountpoint, or a slip.
///
/// A slip must not end with a mount: `xsfs --socket S ls` lists, and `xsfs raed /a` fails.
struct CommandWord {
    /// Words for which other programs have commands, and what xsfs has instead.
    private static let others = [
        "status": "`cat MOUNTPOINT/.xsfs/status` shows the state of a mount.",
        "umount": "`umount MOUNTPOINT` ends a mount.",
        "unmount": "`umount MOUNTPOINT` ends a mount.",
        "version": "it is `xsfs --version`.",
    ]

    /// Other programs' words for commands that are here.
    private static let synonyms = [
        "get": "read", "cat": "read", "set": "write", "put": "write", "tree": "ls", "dump": "ls",
        "dir": "list", "delete": "rm", "remove": "rm", "stat": "perms", "run": "transaction",
    ]

    /// Options that name the store, which commands take as well as the mount; whether a value
    /// follows.
    private static let places = ["--socket": true, "--device": true, "-s": false]
    private static let optionsWithValues: Set<Substring> = [
        "--socket", "--device", "--load", "--listen", "--compatibility",
        "--generate-completion-script",
    ]

    private let arguments: [String]
    private let commands: [String]

    /// Puts the command in front, if options stand before it.
    ///
    /// - Throws: ``CommandError`` for a word that is probably meant as a command.
    static func arrange(_ arguments: [String], commands: [String]) throws -> [String] {
        // What a shell asks for, to complete a line.
        if arguments.first?.hasPrefix("---") == true { return arguments }
        return try CommandWord(arguments: arguments, commands: commands + ["help"]).arranged()
    }

    private func arranged() throws -> [String] {
        guard let index = operandIndex() else { return withOptionsApart(arguments) }
        let word = arguments[index]
        guard commands.contains(word) else {
            try checkMountpoint(word)
            return withOptionsApart(arguments)
        }
        let options = Array(arguments[..<index])
        let rest = [word] + options + arguments[(index + 1)...]
        if word == "mount" { return withOptionsApart(rest) }
        if options.contains(where: { ["-h", "--help"].contains($0) }) {
            return rest
        }
        if let option = options.first(where: { !isOfPlace($0, in: options) }) {
            throw CommandError(
                "'\(option)' stands before the command '\(word)': the options of a command follow "
                    + "it. A directory of this name is ./\(word)",
                status: CommandError.usage
            )
        }
        return rest
    }

    /// Where the first word is that is neither an option nor the value of one; nil after `--`, as
    /// what follows is a mountpoint whatever its name.
    private func operandIndex() -> Int? {
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            if argument == "--" { return nil }
            guard argument.hasPrefix("-"), argument != "-" else { return index }
            index += takesNext(argument) ? 2 : 1
        }
        return nil
    }

    private func takesNext(_ option: String) -> Bool {
        if option.hasPrefix("--") { return Self.optionsWithValues.contains(option[...]) }
        // Options of a letter may stand together; what follows an `o` is its value.
        return option.firstIndex(of: "o").map { option.index(after: $0) } == option.endIndex
    }

    /// A mount's arguments with a blank after `-o`: `-oro,subtree=/a` is one for getopt(3), and
    /// the argument parser would end its name at the equals sign.
    private func withOptionsApart(_ arguments: [String]) -> [String] {
        var apart: [String] = []
        var index = 0
        while index < arguments.count, arguments[index] != "--" {
            let argument = arguments[index]
            let length = argument.hasPrefix("-") && takesNext(argument) ? 2 : 1
            let isShort = argument.hasPrefix("-") && !argument.hasPrefix("--")
            if isShort, length == 1, let letter = argument.firstIndex(of: "o") {
                apart += [String(argument[...letter]), String(argument[letter...].dropFirst())]
            } else {
                apart += arguments[index..<min(index + length, arguments.count)]
            }
            index += length
        }
        return apart + arguments.dropFirst(index)
    }

    private func isOfPlace(_ argument: String, in options: [String]) -> Bool {
        let name = String(argument.prefix { $0 != "=" })
        if Self.places[name] != nil { return true }
        guard let index = options.firstIndex(of: argument), index > 0 else { return false }
        return Self.places[options[index - 1]] == true
    }

    private func checkMountpoint(_ word: String) throws {
        guard !word.contains("/"), !["", ".", ".."].contains(word) else { return }
        if let instead = Self.others[word] { throw slip(word, instead) }
        var status = stat()
        // A dead mount is there, too.
        if stat(word, &status) == 0 {
            if status.st_mode & S_IFMT == S_IFDIR { return }
        } else if errno != ENOENT {
            return
        }
        guard let command = Self.synonyms[word] ?? nearest(word) else { return }
        throw slip(word, "did you mean `xsfs \(command)`?")
    }

    private func slip(_ word: String, _ instead: String) -> CommandError {
        CommandError(
            "there is no command '\(word)': \(instead) A directory of this name is ./\(word)",
            status: CommandError.usage
        )
    }

    private func nearest(_ word: String) -> String? {
        let whole = commands.first { $0.hasPrefix(word) }
        if let whole, word.count > 2 { return whole }
        let nearest = commands.map { ($0, editDistance($0, word)) }.min { $0.1 < $1.1 }
        guard let nearest, nearest.1 <= (word.count < 4 ? 1 : 2) else { return nil }
        return nearest.0
    }
}

/// How many letters are to be added, left out, replaced or swapped with the next, to make one word
/// of the other.
func editDistance(_ first: String, _ second: String) -> Int {
    let (first, second) = (Array(first.utf8), Array(second.utf8))
    var before: [Int] = []
    var last = Array(0...second.count)
    for (i, letter) in first.enumerated() {
        var row = [i + 1]
        for (j, other) in second.enumerated() {
            var best = min(row[j] + 1, last[j + 1] + 1, last[j] + (letter == other ? 0 : 1))
            if i > 0, j > 0, letter == second[j - 1], first[i - 1] == other {
                best = min(best, before[j - 1] + 1)
            }
            row.append(best)
        }
        (before, last) = (last, row)
    }
    return last[second.count]
}
