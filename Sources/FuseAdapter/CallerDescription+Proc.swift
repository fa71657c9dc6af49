import Glibc
public import XenstoreFilesystem

extension CallerDescription {
    /// Asks /proc for a thread whose request waits for its answer, so that it is there.
    public init(of caller: CallerID) {
        self.init(command: RequestTracer.command(of: caller))
        for line in Self.status(of: caller).split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 1, let number = Int64(words[1]) else { continue }
            switch words[0] {
            case "Tgid:": processID = number
            case "PPid:": parentID = number
            // The second is the effective one.
            case "Uid:": userID = words.count > 2 ? Int64(words[2]) ?? number : number
            default: break
            }
        }
    }

    private static func status(of caller: CallerID) -> String {
        let descriptor = Glibc.open("/proc/\(caller.rawValue)/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }
}
