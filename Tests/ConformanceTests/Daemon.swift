import Glibc
import MountSupport
import TestSupport
import XenstoreProtocol

/// One of the daemons of Xen, run by `Tests/Daemons` in a directory of its own until this value
/// ends.
final class Daemon {
    /// It did not start. What it said is in the output of the tests.
    struct NotStarted: Error, CustomStringConvertible {
        let description: String
    }

    private static let scripts: String = {
        let here = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/\(here)/Daemons"
    }()

    private let directory: String
    private var process: RunningProcess?
    private var guest: RunningProcess?

    init(_ kind: ServerKind, _ version: XenVersion) throws {
        var template = Array("/tmp/xsfs-daemon-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw NotStarted(description: "no directory in /tmp")
        }
        directory = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
        let script = Self.scripts + "/xenstored"
        let letter = kind == .oxenstored ? "o" : "c"
        guard Self.write("1,2,5", to: directory + "/domains"),
            let process = RunningProcess([script, letter, directory, version.rawValue])
        else { throw NotStarted(description: "\(script) cannot be run") }
        self.process = process
        // A daemon is ready when somebody can connect.
        while (try? SocketConversation(path: directory + "/socket", milliseconds: 100)) == nil {
            guard process.isRunning else {
                throw NotStarted(
                    description:
                        "no \(kind) of Xen \(version.rawValue) runs here: is it installed, or "
                        + "unpacked with Tests/Daemons/fetch \(version.rawValue)?"
                )
            }
        }
    }

    deinit {
        guest = nil
        process = nil
        let names = opendir(directory).map { stream in
            defer { closedir(stream) }
            var names: [String] = []
            while let entry = readdir(stream) {
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                        names.append(String(cString: $0))
                    }
                }
            }
            return names
        }
        for name in names ?? [] { unlink(directory + "/" + name) }
        rmdir(directory)
    }

    func connect(as domain: DomainID) throws -> any Conversation {
        guard domain != .privileged else {
            return try SocketConversation(path: directory + "/socket")
        }
        if guest == nil {
            guest = RunningProcess([Self.scripts + "/domain-socket", directory, "\(domain)"])
        }
        return try SocketConversation(
            path: directory + "/domain-\(domain)",
            milliseconds: 20_000
        )
    }

    private static func write(_ text: String, to path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        defer { fclose(file) }
        return fputs(text, file) >= 0
    }
}
