import XenstoreProtocol

/// A line written to `.xsfs/ctl`: one control operation of the protocol.
struct ControlLine {
    /// Why a line is none.
    struct Malformed: Error {
        let reason: String
    }

    let request: Request

    /// What each command is, one line each, for who reads the file without asking.
    static let help = """
        introduce DOMID FRAME PORT
        release DOMID
        resume DOMID
        set-target DOMID TARGET
        is-introduced DOMID
        domain-path DOMID
        feature [DOMID [VALUE]]
        quota [DOMID] [NAME [VALUE]]
        reset-watches
        control COMMAND [ARGUMENT...]

        """

    /// Takes a line apart.
    init(_ line: String) throws(Malformed) {
        let words = line.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init)
        guard let name = words.first else { throw Malformed(reason: "an empty command") }
        let arguments = Arguments(name: name, words: Array(words.dropFirst()))
        switch name {
        case "introduce":
            try arguments.require(3...3)
            guard let frame = Int64(arguments.words[1]) else {
                throw Malformed(reason: "\(arguments.words[1]) is no frame number")
            }
            request = .introduce(
                try arguments.domain(0),
                frame: frame,
                eventChannel: try arguments.number(2)
            )
        case "release": request = .release(try arguments.onlyDomain())
        case "resume": request = .resume(try arguments.onlyDomain())
        case "is-introduced": request = .isDomainIntroduced(try arguments.onlyDomain())
        case "domain-path": request = .getDomainPath(try arguments.onlyDomain())
        case "set-target":
            try arguments.require(2...2)
            request = .setTarget(try arguments.domain(0), target: try arguments.domain(1))
        case "feature": request = try Self.feature(arguments)
        case "quota": request = try Self.quota(arguments)
        case "reset-watches":
            try arguments.require(0...0)
            request = .resetWatches
        case "control":
            try arguments.require(1...Int.max)
            request = .control(arguments.words.map { Array($0.utf8) })
        default: throw Malformed(reason: "no such command: \(name)")
        }
    }

    private static func feature(_ arguments: Arguments) throws(Malformed) -> Request {
        try arguments.require(0...2)
        guard !arguments.words.isEmpty else { return .getFeature(nil) }
        let domain = try arguments.domain(0)
        guard arguments.words.count == 2 else { return .getFeature(domain) }
        return .setFeature(domain, features: try arguments.number(1))
    }

    private static func quota(_ arguments: Arguments) throws(Malformed) -> Request {
        var rest = arguments
        var domain: DomainID?
        // No quota has a number for a name.
        if let first = rest.words.first, UInt32(first) != nil {
            domain = try rest.domain(0)
            rest.words.removeFirst()
        }
        try rest.require(0...2)
        guard let name = rest.words.first else { return .getQuota(domain, name: nil) }
        guard rest.words.count == 2 else { return .getQuota(domain, name: name) }
        return .setQuota(domain, name: name, value: try rest.number(1))
    }

    /// The reply as text of whole lines.
    func text(of reply: [UInt8]) -> [UInt8] {
        let bytes = reply.last == 0 ? reply.dropLast() : reply[...]
        switch request {
        case .isDomainIntroduced:
            return Array((bytes == [UInt8(ascii: "T")] ? "yes\n" : "no\n").utf8)
        case .getDomainPath, .getFeature, .getQuota, .control:
            // Lists have a NUL between their words.
            let lines = bytes.map { $0 == 0 ? UInt8(ascii: "\n") : $0 }
            return lines.last == UInt8(ascii: "\n") || lines.isEmpty
                ? lines : lines + [UInt8(ascii: "\n")]
        default: return Array("ok\n".utf8)
        }
    }
}

/// The words after a command's name.
private struct Arguments {
    let name: String
    var words: [String]

    func require(_ count: ClosedRange<Int>) throws(ControlLine.Malformed) {
        guard count.contains(words.count) else {
            throw .init(reason: "\(name): the wrong number of arguments")
        }
    }

    func number(_ index: Int) throws(ControlLine.Malformed) -> UInt32 {
        guard let number = UInt32(words[index]) else {
            throw .init(reason: "\(name): \(words[index]) is no number")
        }
        return number
    }

    func domain(_ index: Int) throws(ControlLine.Malformed) -> DomainID {
        DomainID(try number(index))
    }

    func onlyDomain() throws(ControlLine.Malformed) -> DomainID {
        try require(1...1)
        return try domain(0)
    }
}
