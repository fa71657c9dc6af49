import Glibc

/// The files of the repository, as git lists them: tracked, and new ones that are not ignored.
struct Repository {
    struct Unreadable: Error {
        let what: String
    }

    /// Where this file is, three levels up.
    static let root =
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    /// The paths of all files, relative to the root.
    let paths: [String]

    init() throws(Unreadable) {
        let command = """
            git -c safe.directory='*' -C '\(Self.root)' \
            ls-files -z --cached --others --exclude-standard
            """
        guard let pipe = popen(command, "r") else { throw Unreadable(what: command) }
        let list = Self.bytes(of: pipe)
        guard pclose(pipe) == 0 else { throw Unreadable(what: command) }
        paths = list.split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self) }
            .filter { access(Self.root + "/" + $0, F_OK) == 0 }
    }

    /// The text of a file; nil for what is no text.
    func text(_ path: String) throws(Unreadable) -> String? {
        guard let file = fopen(Self.root + "/" + path, "r") else { throw Unreadable(what: path) }
        defer { fclose(file) }
        return String(validating: Self.bytes(of: file), as: UTF8.self)
    }

    /// The Swift files under one of some directories.
    func swiftFiles(under directories: [String]) throws(Unreadable) -> [SwiftFile] {
        var files: [SwiftFile] = []
        for path in paths where path.hasSuffix(".swift") {
            guard directories.contains(where: { path.hasPrefix($0 + "/") }) else { continue }
            files.append(SwiftFile(path: path, text: try text(path) ?? ""))
        }
        return files
    }

    private static func bytes(of file: UnsafeMutablePointer<FILE>) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }
}
