import Glibc

/// The text of a file that is on no mount of ours; nil where it cannot be read.
public func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count >= 0 else { return nil }
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
    }
}

/// Writes a file that is on no mount of ours.
public func writeFile(_ path: String, _ text: String) throws(TestFailure) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw TestFailure("cannot write \(path)") }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else {
        throw TestFailure("cannot write \(path)")
    }
}

/// Where things are.
enum Place {
    /// The repository.
    static let repository = directory(of: #filePath, up: 3)

    /// What was built together with these tests.
    static let products: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let bytes = buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }
        let executable = String(decoding: bytes, as: UTF8.self)
        return products(near: directory(of: executable, up: 1))
    }()

    /// Under `swift test` this process is a helper of the toolchain, which was given the bundle.
    private static func products(near own: String) -> String {
        if access(own + "/xsfs", X_OK) == 0 { return own }
        for argument in CommandLine.arguments where argument.hasPrefix("/") {
            let near = directory(of: argument, up: 1)
            if access(near + "/xsfs", X_OK) == 0 { return near }
        }
        return own
    }

    private static func directory(of path: String, up count: Int) -> String {
        path.split(separator: "/").dropLast(count).map { "/" + $0 }.joined()
    }
}
