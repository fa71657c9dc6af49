import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// Random operations on the store and on the plain model, in and out of transactions.
struct ModelTests {
    private static let names = ["a", "b", "c", "dd"]

    private static func randomPath(_ random: inout SplitMix64) -> String {
        let depth = 1 + random.below(3)
        return (0..<depth).map { _ in "/" + random.pick(names) }.joined()
    }

    private static func randomOperation(
        _ random: inout SplitMix64
    ) -> (ReferenceStore.Operation, Request) {
        let text = randomPath(&random)
        let path = XenstorePath(stringLiteral: text)
        switch random.below(10) {
        case 0...2: return (.read(text), .read(path))
        case 3...4: return (.directory(text), .directory(path))
        case 5...7:
            let value = String(random.below(100))
            return (.write(text, value), .write(path, value))
        case 8: return (.makeDirectory(text), .makeDirectory(path))
        default: return (.remove(text), .remove(path))
        }
    }

    @Test(arguments: 0..<40)
    func theStoreDoesAsTheModelDoes(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let clients = StoreClients()
        let dom0 = clients.client()
        dom0(.remove("/tool"))
        var model = ReferenceStore()
        var open: [ReferenceStore.Transaction] = []
        for step in 0..<400 {
            let place: Comment = "seed \(seed), step \(step)"
            switch random.below(12) {
            case 0 where open.count < 4:
                open.append(model.begin(dom0.begin()))
            case 1 where !open.isEmpty:
                let ended = open.remove(at: random.below(open.count))
                let expected = model.commit(ended)
                #expect(
                    dom0(.transactionEnd(commit: true), in: ended.id) == expected,
                    place
                )
            case 2...6 where !open.isEmpty:
                let index = random.below(open.count)
                let (operation, request) = Self.randomOperation(&random)
                let expected = model.perform(operation, in: &open[index])
                #expect(dom0(request, in: open[index].id) == expected, place)
            default:
                let (operation, request) = Self.randomOperation(&random)
                #expect(dom0(request) == model.perform(operation), place)
            }
        }
        #expect(clients.store.nodeCount == model.nodes.count + 2, "seed \(seed)")
        #expect(dom0(.control([Array("check".utf8)])) == "OK|", "seed \(seed)")
        for path in model.nodes.keys {
            let children = ReferenceStore.children(of: path, in: model.nodes)
            #expect(
                dom0(.directory(XenstorePath(stringLiteral: path)))
                    == children.map { $0 + "|" }.joined(),
                "seed \(seed)"
            )
        }
    }

    @Test(arguments: 0..<8)
    func manyChildrenComeAndGo(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let clients = StoreClients()
        let dom0 = clients.client()
        dom0(.makeDirectory("/m"))
        var names: [String] = []
        var snapshots: [(UInt32, [String])] = []
        for step in 0..<3000 {
            // Grows for a while, then shrinks to nearly nothing.
            let isGrowing = step % 1500 < 900
            if random.happens(percent: isGrowing ? 80 : 15) || names.isEmpty {
                let name = "n\(step)"
                dom0(.write(XenstorePath(stringLiteral: "/m/\(name)"), name))
                names.append(name)
            } else {
                let name = names.remove(at: random.below(names.count))
                dom0(.remove(XenstorePath(stringLiteral: "/m/\(name)")))
            }
            if step % 500 == 250 { snapshots.append((dom0.begin(), names)) }
            if step % 100 == 0, let name = names.randomElement(using: &random) {
                #expect(dom0(.read(XenstorePath(stringLiteral: "/m/\(name)"))) == name)
            }
        }
        #expect(Self.list(dom0, 0) == names, "seed \(seed)")
        for (transaction, expected) in snapshots {
            #expect(Self.list(dom0, transaction) == expected, "seed \(seed)")
        }
    }

    private static func list(_ client: StoreClient, _ transaction: UInt32) -> [String] {
        var list = ""
        while !list.hasSuffix("||"), list != "|" {
            let part = client(
                .directoryPart("/m", offset: list.utf8.count),
                in: transaction
            )
            guard let end = part.firstIndex(of: "|") else { return ["not a part: \(part)"] }
            list += part[part.index(after: end)...]
        }
        return list.split(separator: "|").map(String.init)
    }
}
