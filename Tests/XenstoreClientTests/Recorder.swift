import Synchronization

/// Notes what happens, from any thread.
final class Recorder<Element: Sendable>: Sendable {
    private let content = Mutex<[Element]>([])

    var all: [Element] { content.withLock { $0 } }

    func note(_ element: Element) { content.withLock { $0.append(element) } }
}
