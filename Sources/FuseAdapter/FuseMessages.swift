// The name is that of CFuse.h.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CFuse
import Synchronization

/// What libfuse says when something goes wrong: a line each, with paths and options in it.
public enum FuseMessages {
    private static let output = Mutex<@Sendable (String) -> Void>({ _ in })

    /// Where they go from now on.
    public static func send(to output: @escaping @Sendable (String) -> Void) {
        self.output.withLock { $0 = output }
    }

    fileprivate static func take(_ text: String) {
        let output = output.withLock { $0 }
        output(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }
}

@c @implementation
func xsfs_on_log(_ text: UnsafePointer<CChar>) {
    FuseMessages.take(String(cString: text))
}
