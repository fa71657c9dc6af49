/// What a check found, and where.
struct Finding: CustomStringConvertible {
    let path: String
    /// From 1 on; 0 for the file as a whole.
    let line: Int
    let what: String

    init(_ path: String, _ line: Int, _ what: String) {
        self.path = path
        self.line = line
        self.what = what
    }

    var description: String { line == 0 ? "\(path): \(what)" : "\(path):\(line): \(what)" }
}

extension SwiftFile {
    /// A finding for each line that satisfies a condition.
    func findings(
        _ what: String,
        where condition: (_ index: Int) throws -> Bool
    ) rethrows -> [Finding] {
        try lines.indices.filter(condition).map { Finding(path, $0 + 1, what) }
    }
}
